"""Rules between the parts of a Pod's spec. `pod_rules` and `container_rules` have those of each part.

https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/
"""

from __future__ import annotations

from collections.abc import Iterator

from mldeploy.rehearsal.kubernetes.objects.container_rules import PROBES, iterate_containers
from mldeploy.rehearsal.kubernetes.objects.errors import (
    StatusCause,
    duplicate_value,
    invalid_value,
    required_value,
    unsupported_value,
)
from mldeploy.rehearsal.kubernetes.objects.names import is_label, label_syntax
from mldeploy.rehearsal.kubernetes.objects.type_rules import forbidden_value
from mldeploy.rehearsal.kubernetes.objects.types import Object

_POLICIES = ("Always", "OnFailure", "Never")
_INIT_WHY = "may not be set for init containers without restartPolicy=Always"


def validate_pod_spec(spec: Object, field: str) -> Iterator[StatusCause]:
    """Validate a Pod spec. field: path of the spec, such as `spec.template.spec`."""
    if not spec.get("containers"):
        yield required_value(f"{field}.containers")
    names: set[str] = set()
    for container, path in (*_by_part(spec, field, "containers"), *_by_part(spec, field, "initContainers")):
        yield from _container(container, path, names)
        yield from _sleep(container, path, spec.get("terminationGracePeriodSeconds", 30))
    volumes = [each.get("name", "") for each in spec.get("volumes") or ()]
    yield from _twice(volumes, f"{field}.volumes")
    yield from _mounted(spec, field, volumes)
    for container, path in _by_part(spec, field, "initContainers"):
        yield from _init_container(container, path)
    if "restartPolicy" not in spec:
        yield unsupported_value(f"{field}.restartPolicy", "", _POLICIES)
    if spec.get("activeDeadlineSeconds", 1) < 1:
        why = "must be between 1 and 2147483647, inclusive"
        yield invalid_value(f"{field}.activeDeadlineSeconds", spec["activeDeadlineSeconds"], why)


def _by_part(spec: Object, field: str, part: str) -> Iterator[tuple[Object, str]]:
    return iterate_containers({part: spec.get(part)}, field)


def _container(container: Object, path: str, names: set[str]) -> Iterator[StatusCause]:
    name = container.get("name", "")
    if not name:
        yield required_value(f"{path}.name")
    elif not is_label(name):
        yield invalid_value(f"{path}.name", name, label_syntax())
    elif name in names:
        yield duplicate_value(f"{path}.name", name)
    names.add(name)
    if not container.get("image"):
        yield required_value(f"{path}.image")
    if "terminationGracePeriodSeconds" in (container.get("readinessProbe") or {}):
        value, why = container["readinessProbe"]["terminationGracePeriodSeconds"], "must not be set for readinessProbes"
        yield invalid_value(f"{path}.readinessProbe.terminationGracePeriodSeconds", value, why)
    for probe in ("livenessProbe", "startupProbe"):
        if (container.get(probe) or {}).get("successThreshold", 1) != 1:
            yield invalid_value(f"{path}.{probe}.successThreshold", container[probe]["successThreshold"], "must be 1")


def _init_container(container: Object, path: str) -> Iterator[StatusCause]:
    if container.get("restartPolicy") != "Always":
        set_ones = [each for each in ("lifecycle", *PROBES) if container.get(each)]
        yield from (forbidden_value(f"{path}.{each}", _INIT_WHY) for each in set_ones)


def _sleep(container: Object, field: str, grace: int) -> Iterator[StatusCause]:
    for name, hook in (container.get("lifecycle") or {}).items():
        seconds = (hook.get("sleep") or {}).get("seconds", 0) if isinstance(hook, dict) else 0
        if isinstance(hook, dict) and "sleep" in hook and not 0 <= seconds <= grace:
            why = f"must be non-negative and less than terminationGracePeriodSeconds ({grace})"
            yield invalid_value(f"{field}.lifecycle.{name}.sleep", seconds, why)


def _twice(names: list[str], field: str) -> Iterator[StatusCause]:
    for number, name in enumerate(names):
        if name in names[:number]:
            yield duplicate_value(f"{field}[{number}].name", name)


def _mounted(spec: Object, field: str, volumes: list[str]) -> Iterator[StatusCause]:
    for container, path in iterate_containers(spec, field):
        for number, mount in enumerate(container.get("volumeMounts") or ()):
            name = mount.get("name", "")
            if not name:
                yield required_value(f"{path}.volumeMounts[{number}].name")
            elif name not in volumes:
                yield StatusCause(f"{path}.volumeMounts[{number}].name", "FieldValueNotFound", f'Not found: "{name}"')
