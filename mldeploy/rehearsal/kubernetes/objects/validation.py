"""Validation of objects, with the API server's messages."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from mldeploy.rehearsal.kubernetes.objects import ingress_validation
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.container_rules import CONTAINER_RULES, DATA_KEY, iterate_containers
from mldeploy.rehearsal.kubernetes.objects.errors import (
    StatusCause,
    invalid,
    invalid_value,
    required_value,
    unsupported_value,
)
from mldeploy.rehearsal.kubernetes.objects.names import (
    is_data_key,
    matches_selector,
    validate_annotations,
    validate_labels,
    validate_metadata,
)
from mldeploy.rehearsal.kubernetes.objects.object_rules import OBJECT_RULES
from mldeploy.rehearsal.kubernetes.objects.pod_rules import POD_RULES
from mldeploy.rehearsal.kubernetes.objects.pod_validation import validate_pod_spec
from mldeploy.rehearsal.kubernetes.objects.schemas import schema_of
from mldeploy.rehearsal.kubernetes.objects.service_rules import validate_service
from mldeploy.rehearsal.kubernetes.objects.type_rules import apply_type_rules, forbidden_value
from mldeploy.rehearsal.kubernetes.objects.types import ApiResource, Object

Causes = Iterator[StatusCause]
_IMMUTABLE = "field is immutable"
_RANGE = "must be between 1 and 65535, inclusive"
_EXPOSURES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_LARGEST = 1048576
"""Maximum size of a Secret or ConfigMap in bytes."""
PROFILES = ("privileged", "baseline", "restricted")
"""The Pod Security Standards."""
_PROFILE_LABELS = ("enforce", "audit", "warn")
_VERSION_LABELS = tuple(f"{each}-version" for each in _PROFILE_LABELS)
_SECRET_KEYS = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}
"""The keys that a Secret of a type must have. https://kubernetes.io/docs/concepts/configuration/secret/#secret-types"""
_SELECTOR_SCHEMA = {"$ref": "#/$defs/io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector"}
_TYPE_RULES = {**CONTAINER_RULES, **POD_RULES, **OBJECT_RULES}
_MUTABLE_IN_PODS = ("activeDeadlineSeconds", "terminationGracePeriodSeconds", "tolerations", "schedulingGates")


def validate(resource: ApiResource, document: Object, before: Object | None) -> None:
    """Validate an object. before: the stored object; None for a new one. Raises StatusError (422)."""
    causes = list(validate_metadata(resource, document["metadata"]))
    if rule := _RULES.get(resource):
        causes += rule(document)
    causes += apply_type_rules(_TYPE_RULES, schema_of(resource), document)
    if before is not None:
        causes += _same_metadata(before, document)
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
    if selector is None:
        yield required_value("spec.selector")
    if selector == {}:
        yield invalid_value("spec.selector", "{}", "empty selector is invalid for deployment")
    elif selector and not _is_valid_selector(selector):
        shown = json.dumps(selector, separators=(",", ":"))
        yield StatusCause("spec.selector", "FieldValueInvalid", f"Invalid value: {shown}: invalid label selector")
    elif not matches_selector(selector, labels):
        shown = json.dumps(labels, sort_keys=True)
        why = "`selector` does not match template `labels`"
        yield StatusCause("spec.template.metadata.labels", "FieldValueInvalid", f"Invalid value: {shown}: {why}")
    yield from validate_labels(labels, "spec.template.labels")
    yield from validate_annotations(
        (template.get("metadata") or {}).get("annotations") or {}, "spec.template.annotations"
    )
    yield from _counts(spec, "spec", "replicas", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds")
    yield from validate_pod_spec(template.get("spec") or {}, "spec.template.spec")
    policy = (template.get("spec") or {}).get("restartPolicy")
    if "activeDeadlineSeconds" in (template.get("spec") or {}):
        why = "activeDeadlineSeconds in ReplicaSet is not Supported"
        yield forbidden_value("spec.template.spec.activeDeadlineSeconds", why)
    if (template.get("spec") or {}).get("ephemeralContainers"):
        why = "ephemeral containers not allowed in pod template"
        yield forbidden_value("spec.template.spec.ephemeralContainers", why)
    if policy in ("OnFailure", "Never"):
        yield unsupported_value("spec.template.spec.restartPolicy", policy, ["Always"])


def _is_valid_selector(selector: Object) -> bool:
    return not any(apply_type_rules(OBJECT_RULES, _SELECTOR_SCHEMA, selector))


def _deployment(document: Object) -> Causes:
    yield from _workload(document)
    spec = document.get("spec") or {}
    if spec.get("progressDeadlineSeconds", 600) <= spec.get("minReadySeconds", 0):
        yield invalid_value(
            "spec.progressDeadlineSeconds", spec["progressDeadlineSeconds"], "must be greater than minReadySeconds"
        )
    strategy = spec.get("strategy") or {}
    if strategy.get("type") not in ("Recreate", "RollingUpdate"):
        yield unsupported_value("spec.strategy", str(strategy.get("type")), ["Recreate", "RollingUpdate"])
    if strategy.get("type") == "Recreate" and strategy.get("rollingUpdate"):
        yield forbidden_value("spec.strategy.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'")


def _pod(document: Object) -> Causes:
    spec = document.get("spec") or {}
    yield from validate_pod_spec(spec, "spec")
    for container, path in iterate_containers(spec, "spec"):
        image = container.get("image", "")
        if image != image.strip():
            yield invalid_value(f"{path}.image", image, "must not have leading or trailing whitespace")
    if spec.get("ephemeralContainers"):
        yield forbidden_value("spec.ephemeralContainers", "cannot be set on create")


def _data(document: Object) -> Causes:
    values, binary = document.get("data") or {}, document.get("binaryData") or {}
    for name in (*values, *binary):
        if name.startswith(".."):
            yield invalid_value(f"data[{name}]", name, "must not start with '..'")
        elif not is_data_key(name):
            yield invalid_value(f"data[{name}]", name, DATA_KEY)
    for name in values.keys() & binary.keys():
        yield invalid_value(f"data[{name}]", name, "duplicate of key present in binaryData")
    if sum(len(each.encode()) for each in (*values.values(), *binary.values())) > _LARGEST:
        yield StatusCause("[]", "FieldValueTooLong", f"Too long: may not be more than {_LARGEST} bytes")


def _secret(document: Object) -> Causes:
    yield from _data(document)
    kind, data = document.get("type", ""), document.get("data") or {}
    if kind == "kubernetes.io/service-account-token":
        name = "kubernetes.io/service-account.name"
        if not (document["metadata"].get("annotations") or {}).get(name):
            yield required_value(f"metadata.annotations[{name}]")
    if kind == "kubernetes.io/basic-auth" and not data.keys() & {"username", "password"}:
        yield from (required_value(f"data[{each}]") for each in ("username", "password"))
    for each in _SECRET_KEYS.get(kind, ()):
        if each not in data:
            yield required_value(f"data[{each}]")
        elif each.endswith(("dockerconfigjson", "dockercfg")) and not _is_json(data[each]):
            yield invalid_value(f"data[{each}]", "<secret contents redacted>", "invalid character")


def _is_json(coded: str) -> bool:
    try:
        json.loads(base64.b64decode(coded))
    except ValueError:
        return False
    return True


def _namespace(document: Object) -> Causes:
    """https://kubernetes.io/docs/concepts/security/pod-security-admission/"""
    for key, value in (document["metadata"].get("labels") or {}).items():
        name, field = key.removeprefix("pod-security.kubernetes.io/"), f"metadata.labels[{key}]"
        if name in _PROFILE_LABELS and value not in PROFILES:
            yield invalid_value(field, value, f"must be one of {', '.join(PROFILES)}")
        elif name in _VERSION_LABELS and not re.fullmatch(r"latest|v1\.\d+", value):
            yield invalid_value(field, value, 'must be "latest" or "v1.x"')


def _role(document: Object) -> Causes:
    for number, rule in enumerate(document.get("rules") or ()):
        if rule.get("nonResourceURLs"):
            why = "namespaced rules cannot apply to non-resource URLs"
            yield invalid_value(f"rules[{number}].nonResourceURLs", "", why)


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
    if before.get("immutable"):
        why = "field is immutable when `immutable` is set"
        if not document.get("immutable"):
            yield forbidden_value("immutable", why)
        for name in ("data", "binaryData"):
            if (before.get(name) or {}) != (document.get(name) or {}):
                yield forbidden_value(name, why)


def _same_role(before: Object, document: Object) -> Causes:
    if before.get("roleRef") != document.get("roleRef"):
        shown = json.dumps(document.get("roleRef"), separators=(",", ":"))
        yield StatusCause("roleRef", "FieldValueInvalid", f"Invalid value: {shown}: cannot change roleRef")


def _same_metadata(before: Object, document: Object) -> Causes:
    old, new = before["metadata"], document["metadata"]
    added = [each for each in new.get("finalizers") or () if each not in (old.get("finalizers") or ())]
    if "deletionTimestamp" in old and added:
        shown = ", ".join(f'"{each}"' for each in added)
        why = f"no new finalizers can be added if the object is being deleted, found new finalizers []string{{{shown}}}"
        yield forbidden_value("metadata.finalizers", why)


_RULES: Mapping[ApiResource, Callable[[Object], Causes]] = MappingProxyType(
    {
        kinds.DEPLOYMENTS: _deployment,
        kinds.REPLICA_SETS: _workload,
        kinds.PODS: _pod,
        kinds.SERVICES: validate_service,
        kinds.SECRETS: _secret,
        kinds.CONFIG_MAPS: _data,
        kinds.NAMESPACES: _namespace,
        kinds.ROLES: _role,
        kinds.INGRESSES: ingress_validation.validate_ingress,
        kinds.GATEWAY_CLASSES: ingress_validation.validate_gateway_class,
        kinds.GATEWAYS: ingress_validation.validate_gateway,
        kinds.ROUTES: ingress_validation.validate_route,
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
        kinds.BINDINGS: _same_role,
        kinds.CLUSTER_BINDINGS: _same_role,
    }
)
