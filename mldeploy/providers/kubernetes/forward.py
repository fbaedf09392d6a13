"""Forward a local port to a pod, through the API server.

A web page could connect to the port under another host name (DNS rebinding). So each connection must begin with an
HTTP request whose Host header is the local address.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from websocket import ABNF, WebSocket, WebSocketException

from mldeploy.core.sockets import readable
from mldeploy.providers.capabilities import Streams
from mldeploy.providers.errors import AbsentError
from mldeploy.providers.kubernetes.api import KubeClient
from mldeploy.providers.kubernetes.documents import rows, text
from mldeploy.providers.kubernetes.errors import ApiStatusError, WSClient
from mldeploy.providers.kubernetes.manifests.workload import CONTAINER

T = TypeVar("T")

LOOPBACK = "127.0.0.1"
CHUNK = 65536
DATA_CHANNEL = 0
"""The channel of a port's data; the next channel carries its errors."""
LOOK_SECONDS = 0.2
HEAD_SECONDS, HEAD_BYTES = 10.0, 65536
"""The limits for the head of a connection's first request."""
_MISDIRECTED = b"HTTP/1.1 421 Misdirected Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_HOST = re.compile(rb"\r\nhost:[ \t]*([^\r\n]*?)[ \t]*(?=\r\n)", re.IGNORECASE)
_CLOSED_ERRORS = (OSError, ValueError, WebSocketException)
"""What either end raises once it is closed."""


@contextmanager
def forward_port(kube: KubeClient, pod: str, namespace: str, port: int) -> Iterator[str]:
    """Yield the local base URL of the pod's port while the context is open.

    Each connection has its own tunnel. A pod that does not listen closes it without a response. If the block fails
    because the API server rejects the tunnel, raises ApiStatusError.
    """
    forwarder = _PortForwarder(kube, pod, namespace, port)
    with socket.create_server((LOOPBACK, 0)) as listener:
        listener.settimeout(LOOK_SECONDS)
        thread = threading.Thread(target=forwarder.keep, args=(listener,), daemon=True)
        thread.start()
        try:
            yield f"http://{LOOPBACK}:{listener.getsockname()[1]}"
        except Exception as error:
            if forwarder.refusal is not None:
                raise forwarder.refusal from error
            raise
        finally:
            forwarder.ended.set()
            thread.join()


@dataclass
class _PortForwarder:
    """Forwards connections to one pod. refusal: why the API server rejected the last one, None if it did not."""

    kube: KubeClient
    pod: str
    namespace: str
    port: int
    ended: threading.Event = field(default_factory=threading.Event)
    refusal: ApiStatusError | None = None

    def keep(self, listener: socket.socket) -> None:
        """Accept connections until `ended`."""
        while not self.ended.is_set():
            try:
                client, _ = listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(*_CLOSED_ERRORS):
            head_bytes = read_request(client, "{}:{}".format(*client.getsockname()[:2]))
            if head_bytes is None:
                client.sendall(_MISDIRECTED)
                return
            client.settimeout(None)
            try:
                connection = self.kube.forward(self.pod, self.namespace, self.port)
            except ApiStatusError as refusal:
                self.refusal = refusal
                return
            self.refusal = None
            try:
                connection.send(bytes([DATA_CHANNEL]) + head_bytes, ABNF.OPCODE_BINARY)
                _relay(client, connection, self.ended)
            finally:
                connection.shutdown()


def read_request(client: socket.socket, authority: str) -> bytes | None:
    """Return what the client sends, up to the end of its request's head; None if the head names another host.

    Raises OSError if the client ends or takes too long.
    """
    client.settimeout(HEAD_SECONDS)
    head_bytes = b""
    while b"\r\n\r\n" not in head_bytes:
        data = client.recv(CHUNK)
        if not data or len(head_bytes) > HEAD_BYTES:
            raise ConnectionResetError
        head_bytes += data
    head = head_bytes.partition(b"\r\n\r\n")[0] + b"\r\n"
    target = head.split(b" ", 2)[1:2]
    is_ours = _HOST.findall(head) == [authority.encode()] and all(each.startswith(b"/") for each in target)
    return head_bytes if is_ours else None


def _relay(client: socket.socket, connection: WebSocket, ended: threading.Event) -> None:
    """Relay data in both directions until one side closes."""
    opened: set[int] = set()
    while not ended.is_set() and connection.sock is not None:
        ready = readable([client, connection.sock], 0 if _has_buffered_data(connection) else LOOK_SECONDS)
        if client in ready:
            data = client.recv(CHUNK)
            if not data:
                return
            connection.send(bytes([DATA_CHANNEL]) + data, ABNF.OPCODE_BINARY)
        while connection.sock in ready or _has_buffered_data(connection):
            ready = []
            if not _relay_frame(client, connection, opened):
                return


def _relay_frame(client: socket.socket, connection: WebSocket, opened: set[int]) -> bool:
    """Relay one frame; False after the last one. Each channel's first frame repeats the port number."""
    code, frame = connection.recv_data_frame(control_frame=True)
    if code == ABNF.OPCODE_CLOSE:
        return False
    if code != ABNF.OPCODE_BINARY or not frame.data:
        return True
    channel, data = frame.data[0], frame.data[1:]
    if channel not in opened:
        opened.add(channel)
        return True
    if channel == DATA_CHANNEL:
        client.sendall(data)
    return bool(channel == DATA_CHANNEL)  # the error channel: there is no connection


def _has_buffered_data(connection: WebSocket) -> bool:
    """Whether TLS has buffered data that select does not see."""
    return isinstance(connection.sock, ssl.SSLSocket) and bool(connection.sock.pending())


STDIN, STDOUT, STDERR, ERROR = 0, 1, 2, 3
"""The channels of the remote command protocol, v4 and v5."""
STDIN_LOOK_SECONDS = 0.5
INTERNAL = "Internal error occurred: "
"""The API server and the kubelet each put it before the container runtime's message."""
START_FAILURES = (
    (r"executable file not found in \$PATH|no such file or directory", 127),
    (r"permission denied|exec format error", 126),
)
"""The messages of the OCI runtime for a program that does not start, and the shell's exit status for each (POSIX)."""
STDIN_CHUNK = 32768


def execute_command(kube: KubeClient, pod: str, namespace: str, command: Sequence[str], streams: Streams) -> int:
    """Run a command in a pod, forward its streams, return its exit status. Raises AbsentError if it cannot start."""
    with_input = streams.stdin is not None
    channels = kube.execute(pod, namespace, CONTAINER, command, stdin=with_input)
    if with_input:
        threading.Thread(target=_forward_input, args=(channels, streams), daemon=True).start()
    try:
        while channels.is_open():
            _received(channels, partial(channels.update, timeout=STDIN_LOOK_SECONDS))
            _forward_output(channels, streams)
        _forward_output(channels, streams)
        message = bytes(channels.read_channel(ERROR)).decode(errors="replace")
        return exit_status(pod, command[0], message, streams)
    finally:
        channels.close()
        channels.sock.shutdown()  # the library leaves the socket open if the server closed first


def _received(channels: WSClient, read: Callable[[], T]) -> T:
    """Return what `read` returns. Raises OSError, WebSocketException if the connection ends without a status."""
    try:
        return read()
    except _CLOSED_ERRORS:  # a server that has said all may be gone before its close frame is answered
        channels.sock.shutdown()
        if not channels.peek_channel(ERROR):
            raise
        return read()


def _forward_output(channels: WSClient, streams: Streams) -> None:
    for channel, stream in ((STDOUT, streams.stdout), (STDERR, streams.stderr)):
        if data := _received(channels, partial(channels.read_channel, channel)):
            stream(bytes(data))


def _forward_input(channels: WSClient, streams: Streams) -> None:
    with suppress(*_CLOSED_ERRORS):  # a program need not read to the end
        while streams.stdin is not None and (data := streams.stdin(STDIN_CHUNK)):
            channels.write_channel(STDIN, data)
        channels.close_channel(STDIN)


def exit_status(pod: str, program: str, message: str, streams: Streams) -> int:
    """Return the exit status that the last message, a Status of the API, tells.

    A program that cannot be started gets the shell's 126 or 127, and a line on stderr. Raises AbsentError for any
    other failure.
    """
    try:
        status = json.loads(message)
    except ValueError:
        status = {}
    if text(status, "status") == "Success":
        return 0
    for cause in rows(status, "details", "causes"):
        if text(cause, "reason") == "ExitCode":
            return int(text(cause, "message"))
    failure = text(status, "message").removeprefix(INTERNAL * 2).removeprefix(INTERNAL)
    for pattern, code in START_FAILURES:
        if found := re.search(pattern, failure):
            streams.stderr(f"{program}: {found[0]}\n".encode())
            return code
    raise AbsentError(f"pod {pod}", failure or "the connection to it ended", "See `mldeploy ps`.")
