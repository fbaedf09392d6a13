"""What of a Pod is no document: what it writes, a command in it, a way to its ports, and its eviction."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

from werkzeug.wrappers import Request, Response

from mldeploy.rehearsal.containers.host import Container
from mldeploy.rehearsal.door.frontdoor import has_left
from mldeploy.rehearsal.kubernetes.api import talking
from mldeploy.rehearsal.kubernetes.api.asked import Asked
from mldeploy.rehearsal.kubernetes.api.channels import Channels
from mldeploy.rehearsal.kubernetes.api.tunnel import PROTOCOL, Tunnel
from mldeploy.rehearsal.kubernetes.api.websocket import offered
from mldeploy.rehearsal.kubernetes.kubelet.logs import LogBuffer
from mldeploy.rehearsal.kubernetes.kubelet.pods import Pods
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.clock import since
from mldeploy.rehearsal.kubernetes.objects.refusals import Refused, bad_request, no_such_path
from mldeploy.rehearsal.kubernetes.objects.removal import Removal, remove
from mldeploy.rehearsal.kubernetes.objects.selectors import labels_of, selects
from mldeploy.rehearsal.kubernetes.objects.store import Store
from mldeploy.rehearsal.kubernetes.objects.types import Object, key_of


class PodParts:
    """May be used from several threads."""

    def __init__(self, store: Store, pods: Pods) -> None:
        self._store = store
        self._pods = pods

    def answer(self, asked: Asked, pod: Object, request: Request) -> Response:
        """Raises Refused; ConnectionResetError once what was no HTTP any more has ended."""
        ways: Mapping[str, Callable[[Asked, Object, Request], Response]] = {
            "log": self._log,
            "exec": self._execute,
            "attach": self._attach,
            "portforward": self._forward,
            "eviction": self._evict,
        }
        if asked.part not in ways:
            raise no_such_path()
        return ways[asked.part](asked, pod, request)

    def _log(self, asked: Asked, pod: Object, request: Request) -> Response:
        """https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/: read log"""
        name, previous = _container(asked, pod), asked.flag("previous")
        running = self._pods.find(pod["metadata"]["uid"])
        log = running.log(name, previous=previous) if running else None
        if log is None:
            raise bad_request(_why_silent(pod, name, previous=previous))
        connection = request.environ["werkzeug.socket"]
        lines = _lines(asked, log, lambda: has_left(connection))
        return Response(lines, 200, content_type="text/plain", direct_passthrough=True)

    def _running(self, asked: Asked, pod: Object) -> Container:
        """Raises Refused."""
        name, running = _container(asked, pod), self._pods.find(pod["metadata"]["uid"])
        found = running.container(name) if running else None
        if found is None:
            raise Refused(500, "InternalError", f'container not found ("{name}")')
        return found

    def _execute(self, asked: Asked, pod: Object, request: Request) -> Response:
        container = self._running(asked, pod)
        if not asked.query.get("command"):
            raise bad_request("you must specify at least one command for the container")
        channels = Channels(request.environ)
        with suppress(OSError):
            talking.run(asked, container, channels)
        raise channels.end()

    def _attach(self, asked: Asked, pod: Object, request: Request) -> Response:
        container, channels = self._running(asked, pod), Channels(request.environ)
        with suppress(OSError):
            talking.attach(asked, container, channels)
        raise channels.end()

    def _forward(self, asked: Asked, pod: Object, request: Request) -> Response:
        running = self._pods.find(pod["metadata"]["uid"])
        names = [each["name"] for each in pod["spec"]["containers"]]
        found = next(filter(None, (running.container(name) for name in names)), None) if running else None
        if found is None:
            raise bad_request(f"unable to forward port because pod is not running. Current status={_phase(pod)}")
        if PROTOCOL in offered(request.environ):
            tunnel = Tunnel(request.environ, found.address)
            with suppress(OSError):
                tunnel.lead()
            raise tunnel.websocket.end()
        port = int(asked.said("ports") or asked.said("port") or 0)
        channels = Channels(request.environ)
        with suppress(OSError):
            for channel in (0, 1):
                channels.send(channel, port.to_bytes(2, "little"))
            try:
                with socket.create_connection((found.address, port), 5) as other:
                    other.settimeout(None)
                    channels.lead(other, 0)
            except ConnectionRefusedError as error:
                text = f"an error occurred forwarding {port}: connection refused: {error}"
                channels.send(1, text.encode())
        raise channels.end()

    def _evict(self, asked: Asked, pod: Object, request: Request) -> Response:
        """https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/"""
        with self._store.changed:
            for budget in self._store.list(kinds.BUDGETS, asked.namespace):
                covers = selects(budget["spec"].get("selector"), labels_of(pod))
                if covers and budget.get("status", {}).get("disruptionsAllowed", 0) < 1:
                    text = "Cannot evict pod as it would violate the pod's disruption budget."
                    raise Refused(429, "TooManyRequests", text, {})
            remove(self._store, key_of(kinds.PODS, pod), Removal())
        done = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
        return Response(json.dumps(done), 201, content_type="application/json")


def _container(asked: Asked, pod: Object) -> str:
    """Which of its containers is meant. Raises Refused."""
    names, name = [each["name"] for each in pod["spec"]["containers"]], asked.said("container")
    first = [each["name"] for each in pod["spec"].get("initContainers", ())]
    if name and name not in (*names, *first):
        raise bad_request(f"container {name} is not valid for pod {pod['metadata']['name']}")
    if not name and len(names) > 1:
        choice = f"choose one of: [{' '.join(names)}]"
        raise bad_request(f"a container name must be specified for pod {pod['metadata']['name']}, {choice}")
    return name or str(names[0])


def _phase(pod: Object) -> str:
    return str(pod.get("status", {}).get("phase", "Pending"))


def _why_silent(pod: Object, name: str, *, previous: bool) -> str:
    about = f'container "{name}" in pod "{pod["metadata"]["name"]}"'
    if previous:
        return f"previous terminated {about} not found"
    status = pod.get("status", {})
    every = (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ()))
    states = {each["name"]: each["state"] for each in every}
    reason = (states.get(name, {}).get("waiting") or {}).get("reason", "ContainerCreating")
    return f"{about} is waiting to start: {reason}"


def _lines(asked: Asked, log: LogBuffer, left: Callable[[], bool]) -> Iterator[bytes]:
    there = log.lines()
    tail, seconds = asked.said("tailLines"), asked.said("sinceSeconds")
    begin = max(0, len(there) - int(tail)) if tail else 0
    if seconds:
        old = sum(1 for time, _ in there if since(time) > int(seconds))
        begin = max(begin, old)
    stamped = asked.flag("timestamps")
    if not asked.flag("follow"):
        yield from (_line(each, stamped) for each in there[begin:])
        return
    for each in log.follow(begin):
        if each is not None:
            yield _line(each, stamped)
        elif left():
            return


def _line(line: tuple[str, bytes], stamped: bool) -> bytes:
    time, text = line
    return (time.encode() + b" " if stamped else b"") + text + b"\n"
