"""The defaults of a service, and the revision that is made of its template.

https://cloud.google.com/run/docs/reference/rpc/google.cloud.run.v2
"""

from __future__ import annotations

import re

from google.cloud import run_v2 as run
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from mldeploy.rehearsal.gcp.project import StandInProject

PORT, CONCURRENCY, TIMEOUT_SECONDS, MOST_INSTANCES = 8080, 80, 300, 100
PROBE_SECONDS = 240
Traffic = run.TrafficTargetAllocationType
_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)(m|k|M|G|Ki|Mi|Gi)?")


def parse_millicores(text: str) -> int:
    """Parse an amount of CPU, `1` or `1000m`; 0 if it is invalid."""
    parts = _QUANTITY.fullmatch(text)
    if parts is None or parts[2] not in (None, "m"):
        return 0
    return round(float(parts[1]) * (1 if parts[2] else 1000))


def parse_bytes(text: str) -> int:
    """Parse an amount of memory, `512Mi`; 0 if it is invalid."""
    parts = _QUANTITY.fullmatch(text)
    return round(float(parts[1]) * _UNITS[parts[2] or ""]) if parts is not None and parts[2] != "m" else 0


def timeout_seconds(template: run.RevisionTemplate | run.Revision) -> int:
    """The request timeout."""
    return int(type(template).pb(template).timeout.seconds)


def ingress_container(template: run.RevisionTemplate | run.Revision) -> run.Container:
    """The container that gets the requests: the one with a port, or the only one."""
    with_port = [each for each in template.containers if each.ports]
    return with_port[0] if with_port else template.containers[0]


def set_defaults(service: run.Service, project: StandInProject, instances: int) -> None:
    """Set what the caller left open, as Cloud Run does. The service is valid. instances: the most of them."""
    template = service.template
    template.service_account = template.service_account or project.nodes
    if "timeout" not in template:
        template.timeout = Duration(seconds=TIMEOUT_SECONDS)
    template.scaling.max_instance_count = template.scaling.max_instance_count or instances
    for container in template.containers:
        _set_resources(container)
    container = ingress_container(template)
    if not container.ports:
        container.ports.append(run.ContainerPort(name="http1", container_port=PORT))
    container.ports[0].name = container.ports[0].name or "http1"
    if "startup_probe" not in container:
        container.startup_probe = run.Probe(
            timeout_seconds=PROBE_SECONDS,
            period_seconds=PROBE_SECONDS,
            failure_threshold=1,
            tcp_socket=run.TCPSocketAction(port=container.ports[0].container_port),
        )
    _set_probe(container.startup_probe, container.ports[0].container_port)
    whole = parse_millicores(container.resources.limits["cpu"]) >= 1000
    template.max_instance_request_concurrency = template.max_instance_request_concurrency or (
        CONCURRENCY if whole else 1
    )
    if service.ingress == run.IngressTraffic.INGRESS_TRAFFIC_UNSPECIFIED:
        service.ingress = run.IngressTraffic(run.IngressTraffic.INGRESS_TRAFFIC_ALL)
    if not service.traffic:
        service.traffic.append(run.TrafficTarget(type_=Traffic.TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST, percent=100))


def _set_resources(container: run.Container) -> None:
    if not container.resources.limits:  # then CPU is for requests only; with limits, false is a choice
        container.resources.cpu_idle = True
    container.resources.limits.setdefault("cpu", "1000m")
    container.resources.limits.setdefault("memory", "512Mi")


def _set_probe(probe: run.Probe, port: int) -> None:
    probe.timeout_seconds = probe.timeout_seconds or 1
    probe.period_seconds = probe.period_seconds or 10
    probe.failure_threshold = probe.failure_threshold or 3
    if "http_get" in probe:
        probe.http_get.path, probe.http_get.port = probe.http_get.path or "/", probe.http_get.port or port
    elif "tcp_socket" in probe:
        probe.tcp_socket.port = probe.tcp_socket.port or port


def make_revision(service: run.Service, name: str) -> run.Revision:
    """Make the revision of a service's template. name: its full name. It has no conditions yet."""
    template = service.template
    return run.Revision(
        name=name,
        service=service.name,
        labels=dict(template.labels),
        annotations=dict(template.annotations),
        generation=1,
        create_time=now(),
        update_time=now(),
        launch_stage=service.launch_stage,
        scaling=template.scaling,
        vpc_access=template.vpc_access if "vpc_access" in template else None,
        max_instance_request_concurrency=template.max_instance_request_concurrency,
        timeout=template.timeout,
        service_account=template.service_account,
        containers=template.containers,
        volumes=template.volumes,
        execution_environment=template.execution_environment,
        session_affinity=template.session_affinity,
        node_selector=template.node_selector if "node_selector" in template else None,
        gpu_zonal_redundancy_disabled=template.gpu_zonal_redundancy_disabled,
        creator=service.last_modifier,
        reconciling=True,
    )


def now() -> Timestamp:
    moment = Timestamp()
    moment.GetCurrentTime()
    return moment
