"""Validation of objects, with the API server's messages."""

from __future__ import annotations

import base64
import binascii
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from mldeploy.rehearsal.kubernetes.objects import ingress_validation
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.errors import (
    StatusCause,
    duplicate_value,
    invalid,
    invalid_value,
    required_value,
    unsupported_value,
)
from mldeploy.rehearsal.kubernetes.objects.names import (
    is_data_key,
    is_label,
    is_port_name,
    label_syntax,
    matches_selector,
    validate_labels,
    validate_metadata,
)
from mldeploy.rehearsal.kubernetes.objects.pod_validation import QuantityError, parse_quantity, validate_pod_spec
from mldeploy.rehearsal.kubernetes.objects.types import ApiResource, Object

Causes = Iterator[StatusCause]
_IMMUTABLE = "field is immutable"
_RANGE = "must be between 1 and 65535, inclusive"
_EXPOSURES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_LARGEST = 1048576
"""Maximum size of a Secret or ConfigMap in bytes."""
_MUTABLE_IN_PODS = ("activeDeadlineSeconds", "terminationGracePeriodSeconds", "tolerations", "schedulingGates")


def validate(resource: ApiResource, document: Object, before: Object | None) -> None:
    """Validate an object. before: the stored object; None for a new one. Raises StatusError (422)."""
    causes = list(validate_metadata(resource, document["metadata"]))
    if rule := _RULES.get(resource):
        causes += rule(document)
    if before is not None and (change := _CHANGES.get(resource)):
        causes += change(before, document)
    if causes:
        raise invalid(resource, document["metadata"].get("name", ""), causes)


def _counts(spec: Object, field: str, *names: str) -> Causes:
    for name in names:
        if isinstance(spec.get(name), int) and spec[name] < 0:
            yield invalid_value(f"{field}.{name}", spec[name], "must be greater than or equal to 0")


def _workload(document: Object) -> Causes:
    spec = document.get("spec") or {}
    selector, template = spec.get("selector"), spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels") or {}
    if not selector:
        yield required_value("spec.selector")
        yield invalid_value("spec.selector", "{}", "empty selector is invalid for deployment")
    elif not matches_selector(selector, labels):
        shown = json.dumps(labels, sort_keys=True)
        why = "`selector` does not match template `labels`"
        yield StatusCause("spec.template.metadata.labels", "FieldValueInvalid", f"Invalid value: {shown}: {why}")
    yield from validate_labels(labels, "spec.template.metadata.labels")
    yield from _counts(spec, "spec", "replicas", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds")
    yield from validate_pod_spec(template.get("spec") or {}, "spec.template.spec")
    policy = (template.get("spec") or {}).get("restartPolicy")
    if "activeDeadlineSeconds" in (template.get("spec") or {}):
        why = "Forbidden: activeDeadlineSeconds in ReplicaSet is not Supported"
        yield StatusCause("spec.template.spec.activeDeadlineSeconds", "FieldValueForbidden", why)
    if policy in ("OnFailure", "Never"):
        yield unsupported_value("spec.template.spec.restartPolicy", policy, ["Always"])


def _deployment(document: Object) -> Causes:
    yield from _workload(document)
    spec = document.get("spec") or {}
    if spec.get("progressDeadlineSeconds", 600) <= spec.get("minReadySeconds", 0):
        yield invalid_value(
            "spec.progressDeadlineSeconds", spec["progressDeadlineSeconds"], "must be greater than minReadySeconds"
        )
    strategy = spec.get("strategy") or {}
    if strategy.get("type") not in ("Recreate", "RollingUpdate"):
        yield unsupported_value("spec.strategy.type", str(strategy.get("type")), ["Recreate", "RollingUpdate"])
    rolling = strategy.get("rollingUpdate")
    if strategy.get("type") == "Recreate" and rolling:
        why = "Forbidden: may not be specified when strategy `type` is 'Recreate'"
        yield StatusCause("spec.strategy.rollingUpdate", "FieldValueForbidden", why)
    if rolling and {str(rolling.get(each)) for each in ("maxSurge", "maxUnavailable")} <= {"0", "0%"}:
        why = "may not be 0 when `maxSurge` is 0"
        yield invalid_value("spec.strategy.rollingUpdate.maxUnavailable", rolling["maxUnavailable"], why)


def _pod(document: Object) -> Causes:
    yield from validate_pod_spec(document.get("spec") or {}, "spec")


def _service(document: Object) -> Causes:
    spec = document.get("spec") or {}
    ports = spec.get("ports") or []
    if spec.get("type") not in _EXPOSURES:
        yield unsupported_value("spec.type", str(spec.get("type")), _EXPOSURES)
    if not ports and spec.get("type") != "ExternalName" and spec.get("clusterIP") != "None":
        yield required_value("spec.ports")
    yield from validate_labels(spec.get("selector") or {}, "spec.selector")
    seen: Counter[object] = Counter()
    for number, port in enumerate(ports):
        here, target = f"spec.ports[{number}]", port.get("targetPort")
        if not isinstance(port.get("port"), int) or not 1 <= port["port"] <= 65535:
            yield invalid_value(f"{here}.port", port.get("port", 0), _RANGE)
        if isinstance(target, int) and not 1 <= target <= 65535:
            yield invalid_value(f"{here}.targetPort", target, _RANGE)
        if isinstance(target, str) and not is_port_name(target):
            yield invalid_value(f"{here}.targetPort", target, "must be no more than 15 characters")
        if len(ports) > 1 and not port.get("name"):
            yield required_value(f"{here}.name")
        if "name" in port and not is_label(port["name"]):
            yield invalid_value(f"{here}.name", port["name"], label_syntax())
        seen[port.get("port"), port.get("protocol")] += 1
        if seen[port.get("port"), port.get("protocol")] > 1:
            yield duplicate_value(here, port.get("port"))


def _data(document: Object) -> Causes:
    size = 0
    for name, value in (document.get("data") or {}).items():
        size += len(value)
        if not is_data_key(name):
            yield invalid_value(
                f"data[{name}]", name, "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
            )
    if size > _LARGEST:
        yield StatusCause("", "FieldValueTooLong", f"Too long: may not be more than {_LARGEST} bytes")


def _secret(document: Object) -> Causes:
    yield from _data(document)
    for name, value in (document.get("data") or {}).items():
        try:
            base64.b64decode(value, validate=True)
        except binascii.Error:
            yield invalid_value(f"data[{name}]", "<redacted>", "illegal base64 data")
    if document.get("type") == "kubernetes.io/dockerconfigjson":
        yield from _docker_config((document.get("data") or {}).get(".dockerconfigjson"))


def _docker_config(coded: str | None) -> Causes:
    field = "data[.dockerconfigjson]"
    if coded is None:
        yield required_value(field)
        return
    try:
        json.loads(base64.b64decode(coded))
    except ValueError:
        yield invalid_value(field, "<secret contents redacted>", "invalid character")


def _autoscaler(document: Object) -> Causes:
    spec = document.get("spec") or {}
    most, least = spec.get("maxReplicas"), spec.get("minReplicas", 1)
    if not isinstance(most, int) or most < 1:
        yield invalid_value("spec.maxReplicas", most if most is not None else 0, "must be greater than 0")
    elif most < least:
        yield invalid_value("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`")
    if least < 1:
        yield invalid_value("spec.minReplicas", least, "must be greater than or equal to 1")
    target = spec.get("scaleTargetRef") or {}
    for each in ("kind", "name"):
        if not target.get(each):
            yield required_value(f"spec.scaleTargetRef.{each}")


def _budget(document: Object) -> Causes:
    spec = document.get("spec") or {}
    if "minAvailable" in spec and "maxUnavailable" in spec:
        yield invalid_value("spec", "", "minAvailable and maxUnavailable cannot be both set")
    for name in ("minAvailable", "maxUnavailable"):
        value = spec.get(name, 0)
        if isinstance(value, str) and not (value.endswith("%") and value[:-1].isdigit()):
            yield invalid_value(
                f"spec.{name}", value, "a valid percent string must be a numeric string followed by an ending '%'"
            )
        yield from _counts(spec, "spec", name)


def _quota(document: Object) -> Causes:
    for name, value in ((document.get("spec") or {}).get("hard") or {}).items():
        try:
            parse_quantity(value)
        except QuantityError as error:
            yield invalid_value(f"spec.hard[{name}]", value, str(error))


def _same_selector(before: Object, document: Object) -> Causes:
    old, new = before["spec"].get("selector"), (document.get("spec") or {}).get("selector")
    if old != new:
        yield StatusCause("spec.selector", "FieldValueInvalid", f"Invalid value: {json.dumps(new)}: {_IMMUTABLE}")


def _same_pod(before: Object, document: Object) -> Causes:
    limit, value = (each["spec"].get("activeDeadlineSeconds") for each in (before, document))
    if limit is not None and (value is None or value > limit):
        why = f"must be less than or equal to previous value {limit}"
        yield invalid_value("spec.activeDeadlineSeconds", value or 0, why)
    if _fixed(before["spec"]) != _fixed(document["spec"]):
        why = (
            "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
            "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
            "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
        )
        yield StatusCause("spec", "FieldValueForbidden", f"Forbidden: {why}")


def _fixed(spec: Object) -> Object:
    kept = {name: each for name, each in spec.items() if name not in _MUTABLE_IN_PODS}
    containers = [{key: each[key] for key in each if key != "image"} for each in spec.get("containers", ())]
    return {**kept, "containers": containers}


def _same_address(before: Object, document: Object) -> Causes:
    old, new = before["spec"].get("clusterIP"), document["spec"].get("clusterIP")
    if old and new and old != new:
        yield StatusCause(
            "spec.clusterIPs[0]", "FieldValueInvalid", f'Invalid value: ["{new}"]: may not change once set'
        )


def _same_data(before: Object, document: Object) -> Causes:
    if before.get("type") != document.get("type"):
        yield invalid_value("type", document.get("type"), _IMMUTABLE)
    changed = any(before.get(each) != document.get(each) for each in ("data", "immutable"))
    if before.get("immutable") and changed:
        yield StatusCause("data", "FieldValueForbidden", "Forbidden: field is immutable when `immutable` is set")


_RULES: Mapping[ApiResource, Callable[[Object], Causes]] = MappingProxyType(
    {
        kinds.DEPLOYMENTS: _deployment,
        kinds.REPLICA_SETS: _workload,
        kinds.PODS: _pod,
        kinds.SERVICES: _service,
        kinds.SECRETS: _secret,
        kinds.CONFIG_MAPS: _data,
        kinds.AUTOSCALERS: _autoscaler,
        kinds.BUDGETS: _budget,
        kinds.INGRESSES: ingress_validation.validate_ingress,
        kinds.GATEWAY_CLASSES: ingress_validation.validate_gateway_class,
        kinds.GATEWAYS: ingress_validation.validate_gateway,
        kinds.ROUTES: ingress_validation.validate_route,
        kinds.QUOTAS: _quota,
    }
)
_CHANGES: Mapping[ApiResource, Callable[[Object, Object], Causes]] = MappingProxyType(
    {
        kinds.DEPLOYMENTS: _same_selector,
        kinds.REPLICA_SETS: _same_selector,
        kinds.PODS: _same_pod,
        kinds.SERVICES: _same_address,
        kinds.SECRETS: _same_data,
        kinds.CONFIG_MAPS: _same_data,
    }
)
