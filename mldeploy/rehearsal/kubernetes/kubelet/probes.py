"""Liveness, readiness and startup probes.

https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import requests

from mldeploy.rehearsal.containers.host import ContainerHostError, HostContainer
from mldeploy.rehearsal.kubernetes.objects.types import Object

_SHOWN = 300
"""Maximum bytes of a probe's output in an event."""
_PATIENCE = 20.0
"""Maximum seconds of continuous failure, independent of shortened periods."""


def run_probe(probe: Object, specification: Object, container: HostContainer) -> str:
    """Run a probe once. Returns the failure message; "" on success."""
    seconds = float(probe.get("timeoutSeconds", 1))
    if "httpGet" in probe:
        return _http(probe["httpGet"], specification, container.address, seconds)
    if "tcpSocket" in probe:
        return _tcp(probe["tcpSocket"], specification, container.address, seconds)
    if "exec" in probe:
        return _command(probe["exec"].get("command") or [], container)
    return ""


def port_of(value: object, specification: Object) -> int:
    """A number, or the name of one of the container's ports."""
    if isinstance(value, int):
        return value
    named = {each.get("name"): each["containerPort"] for each in specification.get("ports") or ()}
    return int(named.get(value, 0))


def _http(request: Object, specification: Object, address: str, seconds: float) -> str:
    port = port_of(request["port"], specification)
    url = f"{request.get('scheme', 'HTTP').lower()}://{address}:{port}{request.get('path', '/')}"
    headers = {each["name"]: each["value"] for each in request.get("httpHeaders") or ()}
    try:
        answer = requests.get(
            url,
            headers={"User-Agent": "kube-probe/1.33", "Connection": "close", **headers},
            timeout=seconds,
            allow_redirects=False,
            verify=False,  # noqa: S501 - as the kubelet does
        )
    except requests.Timeout:
        return f'Get "{url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
    except requests.RequestException:
        return f'Get "{url}": dial tcp {address}:{port}: connect: connection refused'
    return "" if 200 <= answer.status_code < 400 else f"HTTP probe failed with statuscode: {answer.status_code}"


def _tcp(target: Object, specification: Object, address: str, seconds: float) -> str:
    port = port_of(target["port"], specification)
    try:
        with socket.create_connection((address, port), seconds):
            return ""
    except OSError:
        return f"dial tcp {address}:{port}: connect: connection refused"


def _command(command: list[str], container: HostContainer) -> str:
    try:
        ran = container.execute(command)
    except ContainerHostError as error:
        return f"rpc error: code = Unknown desc = failed to exec in container: {error}"
    return "" if ran.code == 0 else (ran.out + ran.err)[:_SHOWN].decode(errors="replace") or f"exit code {ran.code}"


@dataclass(frozen=True)
class ProbeLoop:
    """Runs one probe of a container periodically.

    pace: seconds; values below 1 shorten the periods. passed, failed: called when the threshold is reached; the text
    is the last failure message. unwell: called for each failure.
    """

    probe: Object
    pace: float
    run_probe: Callable[[], str]
    passed: Callable[[], None]
    failed: Callable[[str], None]
    unwell: Callable[[str], None]

    def run(self, ended: threading.Event, *, once: bool = False) -> bool:
        """Run until the container ends; once: until the first result, which is returned."""
        good = bad = 0
        since = time.monotonic()
        factor = min(1.0, max(self.pace, 0.05))
        ended.wait(factor * self.probe.get("initialDelaySeconds", 0))
        while not ended.is_set():
            failure = self.run_probe()
            if ended.is_set():
                if failure:  # the kubelet reports a probe that finds the process ended
                    self.unwell(failure)
                break
            good, bad = (0, bad + 1) if failure else (good + 1, 0)
            if failure:
                self.unwell(failure)
            else:
                since = time.monotonic()
            if good >= self.probe.get("successThreshold", 1):
                self.passed()
                if once:
                    return True
            if bad >= self.probe.get("failureThreshold", 3) and time.monotonic() - since >= self._failure_seconds:
                self.failed(failure)
                if once:
                    return False
            ended.wait(factor * self.probe.get("periodSeconds", 10))
        return False

    @property
    def _failure_seconds(self) -> float:
        """Seconds of continuous failure before the probe counts as failed."""
        return min(_PATIENCE, float((self.probe.get("failureThreshold", 3) - 1) * self.probe.get("periodSeconds", 10)))
