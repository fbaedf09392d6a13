"""Subresources of a Pod: log, exec, attach, portforward and eviction."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress

from werkzeug.wrappers import Request, Response

from mldeploy.core.sockets import readable
from mldeploy.rehearsal.containers.exec_session import ExecSession
from mldeploy.rehearsal.containers.host import ContainerHostError, HostContainer
from mldeploy.rehearsal.gateway.fault_proxy import is_disconnected
from mldeploy.rehearsal.kubernetes.api.port_forward import PROTOCOL, PortForwardSession
from mldeploy.rehearsal.kubernetes.api.request import KubernetesRequest
from mldeploy.rehearsal.kubernetes.api.websocket import (
    CLOSE,
    ERROR,
    RESIZE,
    STDERR,
    STDIN,
    STDOUT,
    ChannelSocket,
    offered_protocols,
)
from mldeploy.rehearsal.kubernetes.kubelet.container_config import LogBuffer
from mldeploy.rehearsal.kubernetes.kubelet.pods import PodManager
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.deletion import DeleteOptions, delete_object
from mldeploy.rehearsal.kubernetes.objects.errors import StatusError, bad_request, path_not_found
from mldeploy.rehearsal.kubernetes.objects.names import labels_of, matches_selector
from mldeploy.rehearsal.kubernetes.objects.store import Store, since
from mldeploy.rehearsal.kubernetes.objects.types import Object, key_of


class PodSubresources:
    """Handles requests for Pod subresources. Thread-safe."""

    def __init__(self, store: Store, pods: PodManager) -> None:
        self._store = store
        self._pods = pods

    def handle(self, request: KubernetesRequest, pod: Object, http_request: Request) -> Response:
        """Handle a request. Raises StatusError, and ConnectionResetError when an upgraded connection ends."""
        handlers: Mapping[str, Callable[[KubernetesRequest, Object, Request], Response]] = {
            "log": self._log,
            "exec": self._execute,
            "attach": self._attach,
            "portforward": self._forward,
            "eviction": self._evict,
        }
        if request.part not in handlers:
            raise path_not_found()
        return handlers[request.part](request, pod, http_request)

    def _log(self, request: KubernetesRequest, pod: Object, http_request: Request) -> Response:
        """https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/: read log"""
        name, previous = _container_name(request, pod), request.flag("previous")
        running = self._pods.find(pod["metadata"]["uid"])
        log = running.log(name, previous=previous) if running else None
        if log is None:
            raise bad_request(_explain_missing_log(pod, name, previous=previous))
        connection = http_request.environ["werkzeug.socket"]
        lines = _stream_lines(request, log, lambda: is_disconnected(connection))
        return Response(lines, 200, content_type="text/plain", direct_passthrough=True)

    def _require_container(self, request: KubernetesRequest, pod: Object) -> HostContainer:
        """The running container of the request. Raises StatusError."""
        name, running = _container_name(request, pod), self._pods.find(pod["metadata"]["uid"])
        container = running.container(name) if running else None
        if container is None:
            raise StatusError(500, "InternalError", f'container not found ("{name}")')
        return container

    def _execute(self, request: KubernetesRequest, pod: Object, http_request: Request) -> Response:
        container = self._require_container(request, pod)
        if not request.query.get("command"):
            raise bad_request("you must specify at least one command for the container")
        channels = ChannelSocket(http_request.environ)
        with suppress(OSError):
            run_command(request, container, channels)
        raise channels.close()

    def _attach(self, request: KubernetesRequest, pod: Object, http_request: Request) -> Response:
        container, channels = self._require_container(request, pod), ChannelSocket(http_request.environ)
        with suppress(OSError):
            attach(request, container, channels)
        raise channels.close()

    def _forward(self, request: KubernetesRequest, pod: Object, http_request: Request) -> Response:
        running = self._pods.find(pod["metadata"]["uid"])
        names = [each["name"] for each in pod["spec"]["containers"]]
        container = next(filter(None, (running.container(name) for name in names)), None) if running else None
        if container is None:
            raise bad_request(f"unable to forward port because pod is not running. Current status={_phase(pod)}")
        if PROTOCOL in offered_protocols(http_request.environ):
            tunnel = PortForwardSession(http_request.environ, container.address)
            with suppress(OSError):
                tunnel.forward()
            raise tunnel.websocket.close()
        port = int(request.parameter("ports") or request.parameter("port") or 0)
        channels = ChannelSocket(http_request.environ)
        with suppress(OSError):
            for channel in (0, 1):
                channels.send(channel, port.to_bytes(2, "little"))
            try:
                with socket.create_connection((container.address, port), 5) as other:
                    other.settimeout(None)
                    channels.forward(other, 0)
            except ConnectionRefusedError as error:
                text = f"an error occurred forwarding {port}: connection refused: {error}"
                channels.send(1, text.encode())
        raise channels.close()

    def _evict(self, request: KubernetesRequest, pod: Object, http_request: Request) -> Response:
        """https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/"""
        with self._store.changed:
            for budget in self._store.list(kinds.BUDGETS, request.namespace):
                covers = matches_selector(budget["spec"].get("selector"), labels_of(pod))
                if covers and budget.get("status", {}).get("disruptionsAllowed", 0) < 1:
                    text = "Cannot evict pod as it would violate the pod's disruption budget."
                    raise StatusError(429, "TooManyRequests", text, {})
            delete_object(self._store, key_of(kinds.PODS, pod), DeleteOptions())
        status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
        return Response(json.dumps(status), 201, content_type="application/json")


def _container_name(request: KubernetesRequest, pod: Object) -> str:
    """The name of the requested container. Raises StatusError."""
    names, name = [each["name"] for each in pod["spec"]["containers"]], request.parameter("container")
    first = [each["name"] for each in pod["spec"].get("initContainers", ())]
    if name and name not in (*names, *first):
        raise bad_request(f"container {name} is not valid for pod {pod['metadata']['name']}")
    if not name and len(names) > 1:
        choice = f"choose one of: [{' '.join(names)}]"
        raise bad_request(f"a container name must be specified for pod {pod['metadata']['name']}, {choice}")
    return name or str(names[0])


def _phase(pod: Object) -> str:
    return str(pod.get("status", {}).get("phase", "Pending"))


def _explain_missing_log(pod: Object, name: str, *, previous: bool) -> str:
    about = f'container "{name}" in pod "{pod["metadata"]["name"]}"'
    if previous:
        return f"previous terminated {about} not found"
    status = pod.get("status", {})
    every = (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ()))
    states = {each["name"]: each["state"] for each in every}
    reason = (states.get(name, {}).get("waiting") or {}).get("reason", "ContainerCreating")
    return f"{about} is waiting to start: {reason}"


def _stream_lines(request: KubernetesRequest, log: LogBuffer, client_left: Callable[[], bool]) -> Iterator[bytes]:
    lines = log.lines()
    tail, seconds = request.parameter("tailLines"), request.parameter("sinceSeconds")
    begin = max(0, len(lines) - int(tail)) if tail else 0
    if seconds:
        old = sum(1 for time, _ in lines if since(time) > int(seconds))
        begin = max(begin, old)
    stamped = request.flag("timestamps")
    if not request.flag("follow"):
        yield from (_format_line(each, stamped) for each in lines[begin:])
        return
    for each in log.follow(begin):
        if each is not None:
            yield _format_line(each, stamped)
        elif client_left():
            return


def _format_line(line: tuple[str, bytes], stamped: bool) -> bytes:
    time, text = line
    return (time.encode() + b" " if stamped else b"") + text + b"\n"


def run_command(request: KubernetesRequest, container: HostContainer, channels: ChannelSocket) -> None:
    """Run a command; the last message is a Status. Raises OSError if the client disconnects."""
    command, tty = list(request.query.get("command", ())), request.flag("tty")
    try:
        if request.flag("stdin") or tty:
            with closing(container.open_exec(command, tty=tty)) as session:
                _forward_streams(request, session, channels)
                code = session.code()
        else:
            result = container.execute(command)
            _send_output(request, channels, [(STDOUT, result.out), (STDERR, result.err)])
            code = result.code
    except ContainerHostError as error:
        channels.send(ERROR, json.dumps(_failure_status(str(error), None)).encode())
    else:
        channels.send(ERROR, json.dumps(_exit_status(code)).encode())


def attach(request: KubernetesRequest, container: HostContainer, channels: ChannelSocket) -> None:
    """Attach to the container's process until it ends. Raises OSError if the client disconnects."""
    try:
        with closing(container.attach()) as session:
            _forward_streams(request, session, channels)
        channels.send(ERROR, json.dumps(_exit_status(0)).encode())
    except ContainerHostError as error:
        channels.send(ERROR, json.dumps(_failure_status(str(error), None)).encode())


def _forward_streams(request: KubernetesRequest, session: ExecSession, channels: ChannelSocket) -> None:
    """Copy data both ways until the program ends its output."""
    while True:
        ready = readable([channels.connection, session.connection], 0 if channels.has_pending() else None)
        if channels.connection in ready or channels.has_pending():
            for channel, data in channels.receive_data():
                _forward_input(session, channel, data)
        if session.connection in ready:
            frames = session.read_frames()
            if frames is None:
                return
            _send_output(request, channels, frames)


def _forward_input(session: ExecSession, channel: int, data: bytes) -> None:
    if channel == STDIN:
        with suppress(OSError):  # a program need not listen
            session.send(data)
    elif channel == CLOSE and data[:1] == bytes([STDIN]):
        session.end_input()
    elif channel == RESIZE:
        with suppress(ValueError, KeyError):
            size = json.loads(data)
            session.resize(int(size["Width"]), int(size["Height"]))


def _send_output(request: KubernetesRequest, channels: ChannelSocket, frames: list[tuple[int, bytes]]) -> None:
    for channel, data in frames:
        if data and request.flag("stdout" if channel == STDOUT else "stderr"):
            channels.send(channel, data)


def _exit_status(code: int) -> Object:
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    return _failure_status(f"command terminated with non-zero exit code: exit code {code}", code)


def _failure_status(message: str, code: int | None) -> Object:
    status: Object = {"metadata": {}, "status": "Failure", "message": message}
    if code is None:
        return {**status, "reason": "InternalError", "code": 500}
    causes = [{"reason": "ExitCode", "message": str(code)}]
    return {**status, "reason": "NonZeroExitCode", "details": {"causes": causes}}
