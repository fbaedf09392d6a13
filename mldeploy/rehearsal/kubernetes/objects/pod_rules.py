"""What is wrong with a Pod's spec that is built as it should be.

https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from mldeploy.rehearsal.kubernetes.objects.names import is_label, is_port_name, is_variable, says_label
from mldeploy.rehearsal.kubernetes.objects.quantities import QuantityError, amount
from mldeploy.rehearsal.kubernetes.objects.refusals import Cause, duplicate, required, unsupported, wrong
from mldeploy.rehearsal.kubernetes.objects.types import Object

_POLICIES = ("Always", "OnFailure", "Never")
_PULLING = ("Always", "IfNotPresent", "Never")
_HANDLERS = ("exec", "grpc", "httpGet", "tcpSocket")
_HOOKS = ("exec", "httpGet", "sleep", "tcpSocket")
_RANGE = "must be between 1 and 65535, inclusive"
_VARIABLE = (
    "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', "
    "and must not start with a digit"
)


def spec_causes(spec: Object, place: str) -> Iterator[Cause]:
    """place: where the spec is, `spec.template.spec`."""
    containers = spec.get("containers") or []
    volumes = [each.get("name", "") for each in spec.get("volumes") or ()]
    if not containers:
        yield required(f"{place}.containers")
    yield from _twice(volumes, f"{place}.volumes")
    first = [each.get("name", "") for each in spec.get("initContainers") or ()]
    yield from _twice([*first, *(each.get("name", "") for each in containers)], f"{place}.containers")
    for part in ("initContainers", "containers"):
        for number, each in enumerate(spec.get(part) or ()):
            yield from _container(each, f"{place}.{part}[{number}]", volumes)
            yield from _sleep(each, f"{place}.{part}[{number}]", spec.get("terminationGracePeriodSeconds", 30))
    if spec.get("restartPolicy") not in _POLICIES:
        yield unsupported(f"{place}.restartPolicy", str(spec.get("restartPolicy")), _POLICIES)
    if spec.get("activeDeadlineSeconds", 1) < 1:
        why = "must be between 1 and 2147483647, inclusive"
        yield wrong(f"{place}.activeDeadlineSeconds", spec["activeDeadlineSeconds"], why)
    if int(spec.get("terminationGracePeriodSeconds", 0)) < 0:
        value = spec["terminationGracePeriodSeconds"]
        yield wrong(f"{place}.terminationGracePeriodSeconds", value, "must be greater than or equal to 0")


def _sleep(container: Object, place: str, grace: int) -> Iterator[Cause]:
    for name, hook in (container.get("lifecycle") or {}).items():
        seconds = (hook.get("sleep") or {}).get("seconds", 0) if isinstance(hook, dict) else 0
        if not 0 <= seconds <= grace:
            why = f"must be non-negative and less than terminationGracePeriodSeconds ({grace})"
            yield wrong(f"{place}.lifecycle.{name}.sleep", seconds, why)


def _twice(names: list[str], place: str) -> Iterator[Cause]:
    seen: Counter[str] = Counter()
    for number, name in enumerate(names):
        seen[name] += 1
        if seen[name] > 1:
            yield duplicate(f"{place}[{number}].name", name)


def _container(container: Object, place: str, volumes: list[str]) -> Iterator[Cause]:
    name = container.get("name", "")
    if not name:
        yield required(f"{place}.name")
    elif not is_label(name):
        yield wrong(f"{place}.name", name, says_label())
    if not container.get("image"):
        yield required(f"{place}.image")
    elif container["image"] != container["image"].strip():
        yield wrong(f"{place}.image", container["image"], "must not have leading or trailing whitespace")
    if container.get("imagePullPolicy") not in _PULLING:
        yield unsupported(f"{place}.imagePullPolicy", str(container.get("imagePullPolicy")), _PULLING)
    yield from _ports(container, place)
    yield from _environment(container, place)
    yield from _mounts(container, place, volumes)
    yield from _probes(container, place)
    yield from _resources(container.get("resources") or {}, f"{place}.resources")
    yield from _security(container.get("securityContext") or {}, f"{place}.securityContext")


def _ports(container: Object, place: str) -> Iterator[Cause]:
    for number, port in enumerate(container.get("ports") or ()):
        here = f"{place}.ports[{number}]"
        value = port.get("containerPort")
        if value is None:
            yield required(f"{here}.containerPort")
        elif not 1 <= value <= 65535:
            yield wrong(f"{here}.containerPort", value, _RANGE)
        if "name" in port and not is_port_name(port["name"]):
            yield wrong(f"{here}.name", port["name"], "must be no more than 15 characters")


def _environment(container: Object, place: str) -> Iterator[Cause]:
    for number, variable in enumerate(container.get("env") or ()):
        here, name = f"{place}.env[{number}]", variable.get("name", "")
        if not name:
            yield required(f"{here}.name")
        elif not is_variable(name):
            yield wrong(f"{here}.name", name, _VARIABLE)
        if variable.get("value") and variable.get("valueFrom"):
            yield wrong(f"{here}.valueFrom", "", "may not be specified when `value` is not empty")
        for kind in ("secretKeyRef", "configMapKeyRef"):
            reference = (variable.get("valueFrom") or {}).get(kind)
            if reference is not None and not reference.get("key"):
                yield required(f"{here}.valueFrom.{kind}.key")


def _mounts(container: Object, place: str, volumes: list[str]) -> Iterator[Cause]:
    for number, mount in enumerate(container.get("volumeMounts") or ()):
        here = f"{place}.volumeMounts[{number}]"
        if mount.get("name") not in volumes:
            yield Cause(f"{here}.name", "FieldValueNotFound", f'Not found: "{mount.get("name", "")}"')
        if not mount.get("mountPath"):
            yield required(f"{here}.mountPath")


def _probes(container: Object, place: str) -> Iterator[Cause]:
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        probe = container.get(name)
        if probe is None:
            continue
        yield from _handler(probe, f"{place}.{name}", _HANDLERS)
        if name != "readinessProbe" and probe.get("successThreshold", 1) != 1:
            yield wrong(f"{place}.{name}.successThreshold", probe["successThreshold"], "must be 1")
        for each in ("initialDelaySeconds", "periodSeconds", "timeoutSeconds", "failureThreshold"):
            if probe.get(each, 0) < 0:
                yield wrong(f"{place}.{name}.{each}", probe[each], "must be greater than or equal to 0")
    for name, hook in (container.get("lifecycle") or {}).items():
        if isinstance(hook, dict):
            yield from _handler(hook, f"{place}.lifecycle.{name}", _HOOKS)


def _handler(probe: Object, place: str, known: tuple[str, ...]) -> Iterator[Cause]:
    said = [each for each in known if each in probe]
    if not said:
        yield required(place, "must specify a handler type")
    for each in said[1:]:
        yield Cause(f"{place}.{each}", "FieldValueForbidden", "Forbidden: may not specify more than 1 handler type")
    port: Any = next((probe[each].get("port") for each in ("httpGet", "tcpSocket") if each in said), 1)
    if isinstance(port, int) and not 1 <= port <= 65535:
        yield wrong(f"{place}.{said[0]}.port", port, _RANGE)


def _resources(resources: Object, place: str) -> Iterator[Cause]:
    amounts = {}
    for part in ("limits", "requests"):
        for name, value in (resources.get(part) or {}).items():
            try:
                amounts[part, name] = amount(value)
            except QuantityError as error:
                yield wrong(f"{place}.{part}.{name}", value, str(error))
                continue
            if amounts[part, name] < 0:
                yield wrong(f"{place}.{part}[{name}]", value, "must be greater than or equal to 0")
    for (part, name), value in amounts.items():
        limit = amounts.get(("limits", name))
        if part == "requests" and limit is not None and value > limit:
            why = f"must be less than or equal to {name} limit of {resources['limits'][name]}"
            yield wrong(f"{place}.requests", resources["requests"][name], why)


def _security(context: Object, place: str) -> Iterator[Cause]:
    for name in ("runAsUser", "runAsGroup"):
        if context.get(name, 0) < 0:
            yield wrong(f"{place}.{name}", context[name], "must be between 0 and 2147483647, inclusive")
    if context.get("privileged") and context.get("allowPrivilegeEscalation") is False:
        yield wrong(place, "", "cannot set `allowPrivilegeEscalation` to false and `privileged` to true")
