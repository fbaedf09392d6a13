"""What Cloud Run refuses at once. https://cloud.google.com/run/docs/reference/rpc/google.cloud.run.v2"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from google.cloud import run_v2 as run

from mldeploy.rehearsal.gcp.artifacts.repositories import wrong_labels
from mldeploy.rehearsal.gcp.errors import ApiError, Code
from mldeploy.rehearsal.gcp.run.messages import quota_violated
from mldeploy.rehearsal.gcp.run.template import (
    MOST_INSTANCES,
    Traffic,
    ingress_container,
    parse_bytes,
    parse_millicores,
    timeout_seconds,
)

_SERVICE_ID = re.compile(r"[a-z]([a-z0-9-]{0,47}[a-z0-9])?")
_REVISION_ID = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_TAG = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
_ENV = re.compile(r"[^=\0]+")
MOST_TAG = 46
"""Most characters of a tag and its service together. https://cloud.google.com/run/docs/rollouts-rollbacks-traffic-migration"""
_NAMESPACES = ("run.googleapis.com/", "cloud.googleapis.com/", "serving.knative.dev/", "autoscaling.knative.dev/")
_RESERVED_ENV = frozenset(("PORT", "K_SERVICE", "K_REVISION", "K_CONFIGURATION"))
_CPUS = (1000, 2000, 4000, 6000, 8000)
_GIB = 2**30
_LEAST_MEMORY: Mapping[int, int] = MappingProxyType({4000: 2 * _GIB, 6000: 4 * _GIB, 8000: 4 * _GIB})
"""By millicores. https://cloud.google.com/run/docs/configuring/services/memory-limits"""
GPU, GPU_TYPES = "nvidia.com/gpu", ("nvidia-l4", "nvidia-rtx-pro-6000")
CPU_QUOTA, MEMORY_QUOTA, GPU_QUOTA = (
    "CpuAllocPerProjectRegion",
    "MemAllocPerProjectRegion",
    "NvidiaL4GpuAllocNoZonalRedundancyPerProjectRegion",
)
REVISIONS = "RevisionsPerService"
NEW_PROJECT: Mapping[str, float] = MappingProxyType(
    {CPU_QUOTA: 20000, MEMORY_QUOTA: 40 * _GIB, GPU_QUOTA: 3, REVISIONS: 1000}
)
"""The limits of a new project. https://github.com/googlecodelabs/feedback/issues/1856; https://cloud.google.com/run/quotas"""


def check_service(service_id: str, service: run.Service, registry: str, quotas: Mapping[str, float]) -> None:
    """Raise ApiError (INVALID_ARGUMENT) for what cannot be a service. registry: HOST:PORT of its images."""
    for what in _wrong(service_id, service, registry):
        raise ApiError(Code.INVALID_ARGUMENT, what)
    _check_quotas(service.template, quotas)


def _wrong(service_id: str, service: run.Service, registry: str) -> Iterator[str]:
    if not _SERVICE_ID.fullmatch(service_id):
        yield (
            "service_id: Service name must use only lowercase alphanumeric characters and dashes, begin with a letter, "
            f"not end with a dash, and be no longer than 49 characters: {service_id!r}"
        )
    for where, labels in (("service", service.labels), ("service.template", service.template.labels)):
        yield from (f"{where}.labels: {what}" for what in wrong_labels(labels))
    for each in (service.annotations, service.template.annotations):
        for key in each:
            if key.startswith(_NAMESPACES):
                yield f"annotations: the namespace of {key} is not supported by the v2 API"
    yield from _wrong_template(service_id, service.template, registry)
    yield from _wrong_traffic(service_id, service)
    yield from _wrong_scaling(service)


def _wrong_template(service_id: str, template: run.RevisionTemplate, registry: str) -> Iterator[str]:
    name = template.revision
    if name and not (_REVISION_ID.fullmatch(name) and name.startswith(f"{service_id}-")):
        what = "Revision name must be prefixed by the name of the enclosing Service with a trailing -"
        yield f"template.revision: {what}: {name!r}"
    if not template.containers:
        yield "template.containers: Revision template should contain at least one container."
        return
    if len(template.containers) > 1:
        raise ApiError(Code.UNIMPLEMENTED, "Sidecar containers are not rehearsed.")
    if not 0 <= timeout_seconds(template) <= 3600:
        yield "template.timeout: must be between 0 and 3600 seconds"
    if not 0 <= template.max_instance_request_concurrency <= 1000:
        yield "template.max_instance_request_concurrency: must be between 0 and 1000"
    if (
        template.scaling.max_instance_count
        and template.scaling.min_instance_count > template.scaling.max_instance_count
    ):
        yield "template.scaling.min_instance_count: must not be greater than max_instance_count"
    for container in template.containers:
        yield from _wrong_container(container, registry)
    yield from _wrong_resources(template)
    yield from _wrong_volumes(template)


def _wrong_container(container: run.Container, registry: str) -> Iterator[str]:
    if not container.image.startswith(f"{registry}/"):
        yield (
            "template.containers[0].image: Expected an image path like [host/]repo-path[:tag and/or @digest], where "
            f"host is one of [region.]gcr.io, [region-]docker.pkg.dev or docker.io but obtained {container.image}."
        )
    if len(container.ports) > 1:
        yield "template.containers[0].ports: should contain 0 or 1 port (field names: ContainerPort)"
    for port in container.ports:
        if not 1 <= port.container_port <= 65535:
            yield "template.containers[0].ports[0].container_port: must be between 1 and 65535"
    names = [each.name for each in container.env]
    reserved = sorted(_RESERVED_ENV.intersection(names))
    if reserved:
        yield (
            "template.containers[0].env: The following reserved env names were provided: "
            f"{', '.join(reserved)}. These values are automatically set by the system."
        )
    if len(set(names)) != len(names) or not all(map(_ENV.fullmatch, names)):
        yield "template.containers[0].env: names must be unique and not empty"
    yield from _wrong_probe(container.startup_probe)


def _wrong_probe(probe: run.Probe) -> Iterator[str]:
    """https://cloud.google.com/run/docs/configuring/healthchecks"""
    if probe.timeout_seconds > (probe.period_seconds or 10):
        yield "template.containers[0].startup_probe.timeout_seconds: must be smaller than period_seconds"
    if not all(0 <= each <= 240 for each in (probe.timeout_seconds, probe.period_seconds, probe.initial_delay_seconds)):
        yield "template.containers[0].startup_probe: its times must be between 0 and 240 seconds"
    if probe.failure_threshold * probe.period_seconds > 240:
        yield "template.containers[0].startup_probe: period_seconds times failure_threshold must not exceed 240 seconds"


def _wrong_resources(template: run.RevisionTemplate) -> Iterator[str]:
    """https://cloud.google.com/run/docs/configuring/services/cpu, memory-limits, gpu"""
    container = ingress_container(template)
    limits = dict(container.resources.limits)
    unknown = sorted(set(limits) - {"cpu", "memory", GPU})
    if unknown:
        yield f"template.containers[0].resources.limits: must be one of cpu, memory, {GPU}: {', '.join(unknown)}"
    cpu, memory = parse_millicores(limits.get("cpu", "1")), parse_bytes(limits.get("memory", "512Mi"))
    if cpu not in _CPUS and not 80 <= cpu < 1000:
        yield f"template.containers[0].resources.limits.cpu: Invalid value specified for cpu. {limits.get('cpu')!r}"
    if not 128 * 2**20 <= memory <= 32 * _GIB or memory < _LEAST_MEMORY.get(cpu, 0):
        yield (
            "template.containers[0].resources.limits.memory: Invalid value specified for container memory for "
            f"{cpu} m of cpu: {limits.get('memory')!r}"
        )
    if cpu < 1000 and template.max_instance_request_concurrency > 1:
        yield "template.containers[0].resources.limits.cpu: Total cpu < 1 is not supported with concurrency > 1."
    if cpu < 1000 and limits and not container.resources.cpu_idle:
        yield "template.containers[0].resources.limits.cpu: Total cpu < 1 is not supported with CPU always allocated."
    yield from _wrong_gpu(template, cpu, memory)


def _wrong_gpu(template: run.RevisionTemplate, cpu: int, memory: int) -> Iterator[str]:
    """https://cloud.google.com/run/docs/configuring/services/gpu; the words are assumed"""
    resources, accelerator = ingress_container(template).resources, template.node_selector.accelerator
    if bool(accelerator) != (GPU in resources.limits):
        yield f"template.node_selector.accelerator and the limit {GPU} must be set together"
    if not accelerator:
        return
    if accelerator not in GPU_TYPES:
        yield f"template.node_selector.accelerator: must be one of {', '.join(GPU_TYPES)}"
    if cpu < 4000 or memory < 16 * _GIB:
        yield "template.containers[0].resources.limits: a GPU needs at least 4 CPU and 16Gi of memory"
    if resources.cpu_idle:
        yield "template.containers[0].resources.cpu_idle: a GPU needs CPU always allocated"


def _wrong_volumes(template: run.RevisionTemplate) -> Iterator[str]:
    volumes = {each.name for each in template.volumes}
    for number, mount in enumerate(ingress_container(template).volume_mounts):
        if mount.name not in volumes:
            yield f"template.containers[0].volume_mounts[{number}].name: Volume {mount.name} is not declared"
        if not mount.mount_path.startswith("/"):
            yield f"template.containers[0].volume_mounts[{number}].mount_path: must be absolute"


def _wrong_traffic(service_id: str, service: run.Service) -> Iterator[str]:
    """The sum: https://github.com/knative/serving/blob/main/pkg/apis/serving/v1/route_validation.go"""
    total = sum(each.percent for each in service.traffic)
    if service.traffic and total != 100:
        yield f"traffic: Traffic targets sum to {total}, want 100"
    tags = [each.tag for each in service.traffic if each.tag]
    if len(set(tags)) != len(tags):
        yield "traffic: Multiple definitions for the same tag"
    for tag in tags:
        if not _TAG.fullmatch(tag) or len(tag) + len(service_id) > MOST_TAG:
            what = f"with its service must be at most {MOST_TAG} lowercase letters, digits, dashes"
            yield f"traffic: the tag {tag!r} {what}"
    for number, target in enumerate(service.traffic):
        is_named = target.type_ == Traffic.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION
        if is_named != bool(target.revision):
            yield f"traffic[{number}]: revision must be set with the type TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION only"
        if target.type_ == Traffic.TRAFFIC_TARGET_ALLOCATION_TYPE_UNSPECIFIED:
            yield f"traffic[{number}].type: must be set"


def _wrong_scaling(service: run.Service) -> Iterator[str]:
    scaling = service.scaling
    if scaling.max_instance_count and scaling.min_instance_count > scaling.max_instance_count:
        yield "scaling.min_instance_count: must not be greater than max_instance_count"
    is_manual = scaling.scaling_mode == run.ServiceScaling.ScalingMode.MANUAL
    if is_manual != ("manual_instance_count" in scaling):
        yield "scaling.manual_instance_count: must be set with the scaling mode MANUAL only"


def _check_quotas(template: run.RevisionTemplate, quotas: Mapping[str, float]) -> None:
    """Raise ApiError if the most instances of the template exceed a quota."""
    count = template.scaling.max_instance_count or 1
    for resource, metric, amount in _amounts(template):
        allowed = int(quotas[metric])
        if amount and count * amount > allowed:
            raise quota_violated(allowed // amount, resource, metric, count * amount, allowed)


def default_instances(template: run.RevisionTemplate, quotas: Mapping[str, float]) -> int:
    """The most instances of a template that does not say: as many as the quotas allow, at most 100."""
    allowed = (int(quotas[metric]) // amount for _, metric, amount in _amounts(template) if amount)
    return max(1, min((MOST_INSTANCES, *allowed)))


def _amounts(template: run.RevisionTemplate) -> Iterator[tuple[str, str, int]]:
    """Resource, metric, and the amount for each instance."""
    limits = dict(ingress_container(template).resources.limits)
    yield "CPU", CPU_QUOTA, parse_millicores(limits.get("cpu", "1"))
    yield "memory", MEMORY_QUOTA, parse_bytes(limits.get("memory", "512Mi"))
    yield "GPU", GPU_QUOTA, int(limits.get(GPU, "0"))
