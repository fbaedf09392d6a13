"""A door on this machine to one pod of a cluster, through the API server: what has no address can be asked."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from websocket import ABNF, WebSocket, WebSocketException

from mldeploy.core.sockets import readable
from mldeploy.providers.kubernetes.api import Kube
from mldeploy.providers.kubernetes.errors import Refusal

HERE = "127.0.0.1"
CHUNK = 65536
DATA = 0
"""The channel of a port's data; the next one is that of its errors."""
LOOK_SECONDS = 0.2
_BROKEN = (OSError, ValueError, WebSocketException)
"""What either end raises once it is closed; the client sees that its connection ends."""


@contextmanager
def forwarded(kube: Kube, pod: str, namespace: str, port: int) -> Iterator[str]:
    """The base URL at which the pod's port answers on this machine while the context is open.

    Each connection is one of its own through the API server. A pod that does not listen closes it without an answer.
    Where the block fails since the server let no connection through, Refusal says why.
    """
    way = _Way(kube, pod, namespace, port)
    with socket.create_server((HERE, 0)) as door:
        door.settimeout(LOOK_SECONDS)
        keeper = threading.Thread(target=way.keep, args=(door,), daemon=True)
        keeper.start()
        try:
            yield f"http://{HERE}:{door.getsockname()[1]}"
        except Exception as error:
            if way.refusal is not None:
                raise way.refusal from error
            raise
        finally:
            way.ended.set()
            keeper.join()


@dataclass
class _Way:
    """To one pod. refusal: why the last connection was not let through, None if it was."""

    kube: Kube
    pod: str
    namespace: str
    port: int
    ended: threading.Event = field(default_factory=threading.Event)
    refusal: Refusal | None = None

    def keep(self, door: socket.socket) -> None:
        """Let in whoever comes, until it is over."""
        while not self.ended.is_set():
            try:
                client, _ = door.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            client.settimeout(None)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(*_BROKEN):
            try:
                there = self.kube.forward(self.pod, self.namespace, self.port)
            except Refusal as refusal:
                self.refusal = refusal
                return
            self.refusal = None
            try:
                _pump(client, there, self.ended)
            finally:
                there.shutdown()


def _pump(client: socket.socket, there: WebSocket, ended: threading.Event) -> None:
    """Pass on what comes from either side, until one of them has said all."""
    opened: set[int] = set()
    while not ended.is_set() and there.sock is not None:
        ready = readable([client, there.sock], 0 if _has_more(there) else LOOK_SECONDS)
        if client in ready:
            data = client.recv(CHUNK)
            if not data:
                return
            there.send(bytes([DATA]) + data, ABNF.OPCODE_BINARY)
        while there.sock in ready or _has_more(there):
            ready = []
            if not _received(client, there, opened):
                return


def _received(client: socket.socket, there: WebSocket, opened: set[int]) -> bool:
    """Pass one frame on; False after the last one. Each channel begins with a frame that repeats the port's number."""
    code, frame = there.recv_data_frame(control_frame=True)
    if code == ABNF.OPCODE_CLOSE:
        return False
    if code != ABNF.OPCODE_BINARY or not frame.data:
        return True
    channel, data = frame.data[0], frame.data[1:]
    if channel not in opened:
        opened.add(channel)
        return True
    if channel == DATA:
        client.sendall(data)
    return bool(channel == DATA)  # the other one says why there is no connection


def _has_more(there: WebSocket) -> bool:
    """TLS hands over whole records: the next frame may be here already, unseen by select."""
    return isinstance(there.sock, ssl.SSLSocket) and bool(there.sock.pending())
