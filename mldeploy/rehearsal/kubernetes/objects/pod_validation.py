"""Validation of a Pod's spec.

https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from mldeploy.rehearsal.kubernetes.objects.errors import (
    StatusCause,
    duplicate_value,
    invalid_value,
    required_value,
    unsupported_value,
)
from mldeploy.rehearsal.kubernetes.objects.names import is_label, is_port_name, is_variable, label_syntax
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


def validate_pod_spec(spec: Object, field: str) -> Iterator[StatusCause]:
    """Validate a Pod spec. field: path of the spec, such as `spec.template.spec`."""
    containers = spec.get("containers") or []
    volumes = [each.get("name", "") for each in spec.get("volumes") or ()]
    if not containers:
        yield required_value(f"{field}.containers")
    yield from _twice(volumes, f"{field}.volumes")
    first = [each.get("name", "") for each in spec.get("initContainers") or ()]
    yield from _twice([*first, *(each.get("name", "") for each in containers)], f"{field}.containers")
    for part in ("initContainers", "containers"):
        for number, each in enumerate(spec.get(part) or ()):
            yield from _container(each, f"{field}.{part}[{number}]", volumes)
            yield from _sleep(each, f"{field}.{part}[{number}]", spec.get("terminationGracePeriodSeconds", 30))
    if spec.get("restartPolicy") not in _POLICIES:
        yield unsupported_value(f"{field}.restartPolicy", str(spec.get("restartPolicy")), _POLICIES)
    if spec.get("activeDeadlineSeconds", 1) < 1:
        why = "must be between 1 and 2147483647, inclusive"
        yield invalid_value(f"{field}.activeDeadlineSeconds", spec["activeDeadlineSeconds"], why)
    if int(spec.get("terminationGracePeriodSeconds", 0)) < 0:
        value = spec["terminationGracePeriodSeconds"]
        yield invalid_value(f"{field}.terminationGracePeriodSeconds", value, "must be greater than or equal to 0")


def _sleep(container: Object, field: str, grace: int) -> Iterator[StatusCause]:
    for name, hook in (container.get("lifecycle") or {}).items():
        seconds = (hook.get("sleep") or {}).get("seconds", 0) if isinstance(hook, dict) else 0
        if not 0 <= seconds <= grace:
            why = f"must be non-negative and less than terminationGracePeriodSeconds ({grace})"
            yield invalid_value(f"{field}.lifecycle.{name}.sleep", seconds, why)


def _twice(names: list[str], field: str) -> Iterator[StatusCause]:
    seen: Counter[str] = Counter()
    for number, name in enumerate(names):
        seen[name] += 1
        if seen[name] > 1:
            yield duplicate_value(f"{field}[{number}].name", name)


def _container(container: Object, field: str, volumes: list[str]) -> Iterator[StatusCause]:
    name = container.get("name", "")
    if not name:
        yield required_value(f"{field}.name")
    elif not is_label(name):
        yield invalid_value(f"{field}.name", name, label_syntax())
    if not container.get("image"):
        yield required_value(f"{field}.image")
    elif container["image"] != container["image"].strip():
        yield invalid_value(f"{field}.image", container["image"], "must not have leading or trailing whitespace")
    if container.get("imagePullPolicy") not in _PULLING:
        yield unsupported_value(f"{field}.imagePullPolicy", str(container.get("imagePullPolicy")), _PULLING)
    yield from _ports(container, field)
    yield from _environment(container, field)
    yield from _mounts(container, field, volumes)
    yield from _probes(container, field)
    yield from _resources(container.get("resources") or {}, f"{field}.resources")
    yield from _security(container.get("securityContext") or {}, f"{field}.securityContext")


def _ports(container: Object, field: str) -> Iterator[StatusCause]:
    for number, port in enumerate(container.get("ports") or ()):
        here = f"{field}.ports[{number}]"
        value = port.get("containerPort")
        if value is None:
            yield required_value(f"{here}.containerPort")
        elif not 1 <= value <= 65535:
            yield invalid_value(f"{here}.containerPort", value, _RANGE)
        if "name" in port and not is_port_name(port["name"]):
            yield invalid_value(f"{here}.name", port["name"], "must be no more than 15 characters")


def _environment(container: Object, field: str) -> Iterator[StatusCause]:
    for number, variable in enumerate(container.get("env") or ()):
        here, name = f"{field}.env[{number}]", variable.get("name", "")
        if not name:
            yield required_value(f"{here}.name")
        elif not is_variable(name):
            yield invalid_value(f"{here}.name", name, _VARIABLE)
        if variable.get("value") and variable.get("valueFrom"):
            yield invalid_value(f"{here}.valueFrom", "", "may not be specified when `value` is not empty")
        for kind in ("secretKeyRef", "configMapKeyRef"):
            reference = (variable.get("valueFrom") or {}).get(kind)
            if reference is not None and not reference.get("key"):
                yield required_value(f"{here}.valueFrom.{kind}.key")


def _mounts(container: Object, field: str, volumes: list[str]) -> Iterator[StatusCause]:
    for number, mount in enumerate(container.get("volumeMounts") or ()):
        here = f"{field}.volumeMounts[{number}]"
        if mount.get("name") not in volumes:
            yield StatusCause(f"{here}.name", "FieldValueNotFound", f'Not found: "{mount.get("name", "")}"')
        if not mount.get("mountPath"):
            yield required_value(f"{here}.mountPath")


def _probes(container: Object, field: str) -> Iterator[StatusCause]:
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        probe = container.get(name)
        if probe is None:
            continue
        yield from _handler(probe, f"{field}.{name}", _HANDLERS)
        if name != "readinessProbe" and probe.get("successThreshold", 1) != 1:
            yield invalid_value(f"{field}.{name}.successThreshold", probe["successThreshold"], "must be 1")
        for each in ("initialDelaySeconds", "periodSeconds", "timeoutSeconds", "failureThreshold"):
            if probe.get(each, 0) < 0:
                yield invalid_value(f"{field}.{name}.{each}", probe[each], "must be greater than or equal to 0")
    for name, hook in (container.get("lifecycle") or {}).items():
        if isinstance(hook, dict):
            yield from _handler(hook, f"{field}.lifecycle.{name}", _HOOKS)


def _handler(probe: Object, field: str, known: tuple[str, ...]) -> Iterator[StatusCause]:
    handlers = [each for each in known if each in probe]
    if not handlers:
        yield required_value(field, "must specify a handler type")
    for each in handlers[1:]:
        yield StatusCause(
            f"{field}.{each}", "FieldValueForbidden", "Forbidden: may not specify more than 1 handler type"
        )
    port: Any = next((probe[each].get("port") for each in ("httpGet", "tcpSocket") if each in handlers), 1)
    if isinstance(port, int) and not 1 <= port <= 65535:
        yield invalid_value(f"{field}.{handlers[0]}.port", port, _RANGE)


def _resources(resources: Object, field: str) -> Iterator[StatusCause]:
    amounts = {}
    for part in ("limits", "requests"):
        for name, value in (resources.get(part) or {}).items():
            try:
                amounts[part, name] = parse_quantity(value)
            except QuantityError as error:
                yield invalid_value(f"{field}.{part}.{name}", value, str(error))
                continue
            if amounts[part, name] < 0:
                yield invalid_value(f"{field}.{part}[{name}]", value, "must be greater than or equal to 0")
    for (part, name), value in amounts.items():
        limit = amounts.get(("limits", name))
        if part == "requests" and limit is not None and value > limit:
            why = f"must be less than or equal to {name} limit of {resources['limits'][name]}"
            yield invalid_value(f"{field}.requests", resources["requests"][name], why)


def _security(context: Object, field: str) -> Iterator[StatusCause]:
    for name in ("runAsUser", "runAsGroup"):
        if context.get(name, 0) < 0:
            yield invalid_value(f"{field}.{name}", context[name], "must be between 0 and 2147483647, inclusive")
    if context.get("privileged") and context.get("allowPrivilegeEscalation") is False:
        yield invalid_value(field, "", "cannot set `allowPrivilegeEscalation` to false and `privileged` to true")


SYNTAX = r"^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"
_FORM = re.compile(r"(?P<number>[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))(?P<unit>[KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?")
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}


class QuantityError(ValueError):
    """The text is not a valid quantity."""


def parse_quantity(written: object) -> Decimal:
    """Parse a quantity into cores or bytes. Raises QuantityError."""
    parts = _FORM.fullmatch(str(written))
    if parts is None:
        raise QuantityError(f"quantities must match the regular expression '{SYNTAX}'")
    return Decimal(parts["number"]) * _factor(parts["unit"] or "")


def _factor(unit: str) -> Decimal:
    if unit in _BINARY:
        return Decimal(1024 ** _BINARY.index(unit))
    if unit in _DECIMAL:
        return Decimal(10) ** _DECIMAL[unit]
    return Decimal(10) ** int(unit[1:])


def format_quantity(written: object) -> str:
    """Format a quantity canonically: no fraction, and the largest possible unit.

    Raises QuantityError.
    """
    value, unit = parse_quantity(written), str(written).lstrip("+-.0123456789")
    if unit in _BINARY[1:]:
        return _in_units(value, {each: _factor(each) for each in _BINARY}) or format_quantity(f"{value:f}")
    if unit[:1] in ("e", "E") and unit != "E":
        return str(written)
    return _in_units(value, {each: _factor(each) for each in _DECIMAL}) or str(written)


def _in_units(value: Decimal, units: dict[str, Decimal]) -> str:
    if value == 0:
        return "0"
    for unit, factor in reversed(units.items()):
        if value % factor == 0:
            return f"{int(value / factor)}{unit}"
    return ""
