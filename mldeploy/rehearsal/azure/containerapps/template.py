"""A revision's template, read into what its replicas need. Standard: Container Apps, "Containers", "Health probes"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mldeploy.rehearsal.azure.arm.schema import Json

_DEFAULT_MAX, _DEFAULT_COOLDOWN, _DEFAULT_CONCURRENCY = 10, 300, 10
"""Standard: Container Apps, "Set scaling rules", "Scale behavior"."""
_STARTUP_LIMIT = 240
"""Seconds that the default startup probe waits: 240 failures, one second apart."""


@dataclass(frozen=True)
class ContainerProbe:
    """A probe of a container. path: of an HTTP probe; empty: a TCP probe. Times are in seconds."""

    port: int
    path: str = ""
    headers: Mapping[str, str] | None = None
    delay: int = 0
    period: int = 10
    timeout: int = 1
    failures: int = 3

    @property
    def limit(self) -> float:
        """Seconds after which the probe has failed for good."""
        return self.delay + self.period * self.failures


@dataclass(frozen=True)
class ReplicaPlan:
    """What each replica of a revision is. startup, readiness: the probes until it gets requests; liveness: None: none.

    least, most: the number of replicas. concurrency: requests at once that one of them takes. cooldown: seconds until
    a revision without requests has the least number. grace: seconds between SIGTERM and SIGKILL.
    """

    container: str
    image: str
    port: int
    command: Sequence[str] | None
    arguments: Sequence[str] | None
    variables: Sequence[Mapping[str, str]]
    cores: float
    memory: float
    startup: ContainerProbe
    readiness: ContainerProbe
    liveness: ContainerProbe | None
    least: int
    most: int
    concurrency: int
    cooldown: int
    grace: int


def read_template(template: Mapping[str, Any], port: int) -> ReplicaPlan:
    """Read a template that `app_checks` has accepted. port: the ingress's target port."""
    container = template["containers"][0]
    scale = template.get("scale") or {}
    probes = {str(each.get("type")).lower(): _read_probe(each) for each in container.get("probes") or ()}
    rules = [each["http"] for each in scale.get("rules") or () if each.get("http")]
    concurrency = next((int(each["metadata"]["concurrentRequests"]) for each in rules), _DEFAULT_CONCURRENCY)
    cores, memory = read_resources(container)
    return ReplicaPlan(
        container=container["name"],
        image=container["image"],
        port=port,
        command=container.get("command") or None,
        arguments=container.get("args") or None,
        variables=container.get("env") or (),
        cores=cores,
        memory=memory,
        startup=probes.get("startup") or ContainerProbe(port, period=1, failures=_STARTUP_LIMIT, timeout=3),
        readiness=probes.get("readiness") or ContainerProbe(port, period=5, failures=48, timeout=5),
        liveness=probes.get("liveness"),
        least=int(scale.get("minReplicas") or 0),
        most=int(scale.get("maxReplicas") or _DEFAULT_MAX),
        concurrency=concurrency,
        cooldown=int(scale.get("cooldownPeriod") or _DEFAULT_COOLDOWN),
        grace=int(template.get("terminationGracePeriodSeconds") or 30),
    )


def read_resources(container: Mapping[str, Any]) -> tuple[float, float]:
    """Return cores and memory in GiB of a container."""
    resources = container.get("resources") or {}
    return float(resources.get("cpu") or 0.5), float(str(resources.get("memory") or "1Gi").removesuffix("Gi"))


def _read_probe(probe: Mapping[str, Any]) -> ContainerProbe:
    """Standard: Container Apps, "Health probes": the defaults are those of Kubernetes."""
    get, socket = probe.get("httpGet"), probe.get("tcpSocket")
    target = get or socket or {}
    return ContainerProbe(
        port=int(target.get("port") or 0),
        path=str(get.get("path") or "/") if get else "",
        headers={each["name"]: each["value"] for each in (get or {}).get("httpHeaders") or ()},
        delay=int(probe.get("initialDelaySeconds") or 0),
        period=int(probe.get("periodSeconds") or 10),
        timeout=int(probe.get("timeoutSeconds") or 1),
        failures=int(probe.get("failureThreshold") or 3),
    )


def show_template(template: Json) -> Json:
    """Return a template as the API shows it, with the defaults filled in."""
    shown = dict(template)
    shown["containers"] = [_show_container(each) for each in template.get("containers") or ()]
    scale = template.get("scale") or {}
    defaults = {"minReplicas": None, "maxReplicas": _DEFAULT_MAX, "cooldownPeriod": 300, "pollingInterval": 30}
    shown["scale"] = {**defaults, "rules": None, **{name: each for name, each in scale.items() if each is not None}}
    empty = {"revisionSuffix": "", "terminationGracePeriodSeconds": None, "initContainers": None, "volumes": None}
    return {**empty, "serviceBinds": None, **shown}


def _show_container(container: Json) -> Json:
    cores, memory = read_resources(container)
    storage = "1Gi" if cores <= 0.25 else "2Gi" if cores <= 0.5 else "4Gi" if cores <= 1 else "8Gi"
    return {**container, "resources": {"cpu": cores, "memory": f"{memory:g}Gi", "ephemeralStorage": storage}}
