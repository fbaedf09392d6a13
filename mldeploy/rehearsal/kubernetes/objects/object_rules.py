"""Rules of the types outside a Pod's spec: selectors, rollouts, autoscalers, quotas, roles, metadata.

https://kubernetes.io/docs/reference/kubernetes-api/
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from mldeploy.rehearsal.kubernetes.objects.container_rules import QUALIFIED
from mldeploy.rehearsal.kubernetes.objects.errors import (
    StatusCause,
    invalid_value,
    required_value,
    unsupported_value,
)
from mldeploy.rehearsal.kubernetes.objects.names import (
    is_key,
    is_label_value,
    is_subdomain,
    key_syntax,
    label_value_syntax,
    subdomain_syntax,
)
from mldeploy.rehearsal.kubernetes.objects.quantities import QuantityError, parse_quantity
from mldeploy.rehearsal.kubernetes.objects.type_rules import (
    NOT_NEGATIVE,
    PERCENT,
    Causes,
    Rule,
    at_least,
    forbidden_value,
    in_range,
    number_or_percent,
    one_of,
    required,
)
from mldeploy.rehearsal.kubernetes.objects.types import Object

_SELECTOR_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")
_SOURCES = {"ContainerResource": "containerResource", "External": "external", "Object": "object", "Pods": "pods"}
_METRICS = {**_SOURCES, "Resource": "resource"}
_FINALIZERS = ("foregroundDeletion", "kubernetes", "orphan")
_RBAC = "rbac.authorization.k8s.io"
_QUOTAS = (
    *("cpu", "memory", "ephemeral-storage", "storage", "pods", "services", "secrets", "configmaps"),
    *("persistentvolumeclaims", "replicationcontrollers", "resourcequotas", "services.nodeports"),
    *("services.loadbalancers", "requests.cpu", "requests.memory", "requests.storage", "requests.ephemeral-storage"),
    *("limits.cpu", "limits.memory", "limits.ephemeral-storage"),
)
_SCOPES = (
    *("Terminating", "NotTerminating", "BestEffort", "NotBestEffort", "PriorityClass", "CrossNamespacePodAffinity"),
    "VolumeAttributesClass",
)


def label_selector(value: Object, path: str) -> Causes:
    """https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/label-selector/"""
    for key, text in (value.get("matchLabels") or {}).items():
        if not is_key(key):
            yield invalid_value(f"{path}.matchLabels", key, key_syntax())
        if not is_label_value(text):
            yield invalid_value(f"{path}.matchLabels", text, label_value_syntax())


def _selector_requirement(value: Object, path: str) -> Causes:
    operator, values, here = value.get("operator", ""), value.get("values"), f"{path}.values"
    if operator in ("In", "NotIn") and not values:
        yield required_value(here, "must be specified when `operator` is 'In' or 'NotIn'")
    elif operator in ("Exists", "DoesNotExist") and values:
        yield forbidden_value(here, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
    elif operator not in _SELECTOR_OPERATORS:
        yield invalid_value(f"{path}.operator", operator, "not a valid selector operator")
    if not is_key(value.get("key", "")):
        yield invalid_value(f"{path}.key", value.get("key", ""), key_syntax())
    for number, text in enumerate(values or ()):
        if not is_label_value(text):
            yield invalid_value(f"{here}[{number}]", text, label_value_syntax())


def _metadata(value: Object, path: str) -> Causes:
    for number, each in enumerate(value.get("finalizers") or ()):
        here = f"{path}.finalizers[{number}]"
        if not is_key(each):
            yield invalid_value(here, each, key_syntax())
        elif "/" not in each and each not in _FINALIZERS:
            yield invalid_value(here, each, "name is neither a standard finalizer name nor is it fully qualified")
    owners = value.get("ownerReferences") or []
    for each in owners:
        for name in ("apiVersion", "kind", "name", "uid"):
            if not each.get(name):
                yield invalid_value(f"{path}.ownerReferences.{name}", "", "must not be empty")
    if sum(bool(each.get("controller")) for each in owners) > 1:
        why = "Only one reference can have Controller set to true."
        yield StatusCause(f"{path}.ownerReferences", "FieldValueInvalid", f"Invalid value: {json.dumps(owners)}: {why}")


def _metric(value: Object, path: str) -> Causes:
    kind = value.get("type", "")
    if kind not in _METRICS:
        yield unsupported_value(f"{path}.type", kind, tuple(_METRICS))
        return
    own = _METRICS[kind]
    if own not in value:
        yield required_value(f"{path}.{own}", "must populate information for the given metric source")
        return
    for each in _METRICS.values():
        if each != own and each in value:
            yield forbidden_value(f"{path}.{each}", "must populate the given metric source only")


def _resource_metric(value: Object, path: str) -> Causes:
    if not value.get("name"):
        yield required_value(f"{path}.name", "must specify a resource name")
    target, here = value.get("target") or {}, f"{path}.target"
    if "averageUtilization" not in target and "averageValue" not in target:
        why = "must set either a target raw value or a target utilization"
        yield required_value(f"{here}.averageUtilization", why)
    if "averageUtilization" in target and "averageValue" in target:
        yield forbidden_value(f"{here}.averageValue", "may not set both a target raw value and a target utilization")


def _named_metric(value: Object, path: str) -> Causes:
    if not (value.get("metric") or {}).get("name"):
        yield required_value(f"{path}.metric.name", "must specify a metric name")
    target = value.get("target") or {}
    if "value" not in target and "averageValue" not in target:
        yield required_value(f"{path}.target.averageValue", "must specify a positive target averageValue")


def _metric_target(value: Object, path: str) -> Causes:
    if not value.get("type"):
        yield required_value(f"{path}.type", "must specify a metric target type")
    elif value["type"] not in ("Utilization", "Value", "AverageValue"):
        why = "must be either Utilization, Value, or AverageValue"
        yield invalid_value(f"{path}.type", value["type"], why)
    yield from at_least("averageUtilization", 1, "must be greater than 0")(value, path)
    for name in ("value", "averageValue"):
        if name in value and _is_not_positive(value[name]):
            yield invalid_value(f"{path}.{name}", value[name], "must be positive")


def _is_not_positive(amount: object) -> bool:
    try:
        return parse_quantity(amount) <= 0
    except QuantityError:
        return False


def _scale_target(value: Object, path: str) -> Causes:
    for name in ("kind", "name"):
        text = value.get(name, "")
        if not text:
            yield required_value(f"{path}.{name}")
        for character in ("/", "%"):
            if character in text:
                yield invalid_value(f"{path}.{name}", text, f"may not contain '{character}'")
    if value.get("apiVersion", "").count("/") > 1:
        why = f"unexpected GroupVersion string: {value['apiVersion']}"
        yield invalid_value(f"{path}.apiVersion", value["apiVersion"], why)


def _scaling_rules(value: Object, path: str) -> Causes:
    seconds = f"{path}.stabilizationWindowSeconds"
    if value.get("stabilizationWindowSeconds", 0) > 3600:
        yield invalid_value(seconds, value["stabilizationWindowSeconds"], "must be less than or equal to 3600")
    yield from at_least("stabilizationWindowSeconds", 0, "must be greater than or equal to zero")(value, path)
    if "policies" in value and not value["policies"]:
        yield required_value(f"{path}.policies", "must specify at least one Policy")


def _scaling_policy(value: Object, path: str) -> Causes:
    if value.get("value", 0) <= 0:
        yield invalid_value(f"{path}.value", value.get("value", 0), "must be greater than zero")
    if value.get("periodSeconds", 0) <= 0:
        yield invalid_value(f"{path}.periodSeconds", value.get("periodSeconds", 0), "must be greater than zero")
    elif value["periodSeconds"] > 1800:
        yield invalid_value(f"{path}.periodSeconds", value["periodSeconds"], "must be less than or equal to 1800")


def _autoscaler(value: Object, path: str) -> Causes:
    most, least = value.get("maxReplicas", 0), value.get("minReplicas", 1)
    if least < 1:
        yield invalid_value(f"{path}.minReplicas", least, "must be greater than or equal to 1")
    if least == 0 and not any(each.get("type") in ("Object", "External") for each in value.get("metrics") or ()):
        why = "must specify at least one Object or External metric to support scaling to zero replicas"
        yield forbidden_value(f"{path}.metrics", why)
    if most < 1:
        yield invalid_value(f"{path}.maxReplicas", most, "must be greater than 0")
    if most < least:
        yield invalid_value(f"{path}.maxReplicas", most, "must be greater than or equal to `minReplicas`")


def _budget(value: Object, path: str) -> Causes:
    if "minAvailable" in value and "maxUnavailable" in value:
        yield invalid_value(path, "", "minAvailable and maxUnavailable cannot be both set")


def _rollout(value: Object, path: str) -> Causes:
    if not any(_amount(value.get(each, 0)) for each in ("maxSurge", "maxUnavailable")):
        yield invalid_value(
            f"{path}.maxUnavailable", value.get("maxUnavailable", 0), "may not be 0 when `maxSurge` is 0"
        )


def _amount(value: object) -> int:
    """A number, or the number of percent; 0 for what is neither."""
    text = str(value)
    return int(text.removesuffix("%")) if PERCENT.fullmatch(text) or text.isdecimal() else 0


def _quota(value: Object, path: str) -> Causes:
    for name, amount in (value.get("hard") or {}).items():
        here = f"{path}.hard[{name}]"
        is_standard = name in _QUOTAS or name.startswith(("count/", "requests.", "limits."))
        if not is_standard and "/" not in name and ".storageclass." not in name:
            yield invalid_value(here, name, QUALIFIED)
            yield invalid_value(here, name, "must be a standard resource for quota")
        try:
            number = parse_quantity(amount)
        except QuantityError:
            continue  # decoding has refused it
        if number < 0:
            yield invalid_value(here, str(amount), NOT_NEGATIVE)
        elif number % 1 and (name in ("pods", "services", "secrets", "configmaps") or name.startswith("count/")):
            yield invalid_value(here, str(amount), "must be an integer")
    if unknown := [each for each in value.get("scopes") or () if each not in _SCOPES]:
        shown = json.dumps(unknown)
        yield StatusCause(f"{path}.scopes", "FieldValueInvalid", f"Invalid value: {shown}: unsupported scope")


def _policy_rule(value: Object, path: str) -> Causes:
    if not value.get("verbs"):
        yield required_value(f"{path}.verbs", "verbs must contain at least one value")
    if value.get("nonResourceURLs"):
        named = any(value.get(each) for each in ("apiGroups", "resources", "resourceNames"))
        why = "rules cannot apply to both regular resources and non-resource URLs"
        yield from [invalid_value(f"{path}.nonResourceURLs", "", why)] if named else ()
        return
    if not value.get("apiGroups"):
        yield required_value(f"{path}.apiGroups", "resource rules must supply at least one api group")
    if not value.get("resources"):
        yield required_value(f"{path}.resources", "resource rules must supply at least one resource")


def _role_reference(value: Object, path: str) -> Causes:
    if value.get("apiGroup", _RBAC) != _RBAC:
        yield unsupported_value(f"{path}.apiGroup", value["apiGroup"], (_RBAC,))
    if value.get("kind") not in ("Role", "ClusterRole"):
        yield unsupported_value(f"{path}.kind", value.get("kind", ""), ("Role", "ClusterRole"))
    if not value.get("name"):
        yield required_value(f"{path}.name")


def _subject(value: Object, path: str) -> Causes:
    kind, name = value.get("kind", ""), value.get("name", "")
    group = "" if kind == "ServiceAccount" else _RBAC
    if not name:
        yield required_value(f"{path}.name")
    if kind not in ("ServiceAccount", "User", "Group"):
        yield unsupported_value(f"{path}.kind", kind, ("ServiceAccount", "User", "Group"))
    elif value.get("apiGroup", group) != group:
        yield unsupported_value(f"{path}.apiGroup", value["apiGroup"], (group,))
    if kind == "ServiceAccount" and name and not is_subdomain(name):
        yield invalid_value(f"{path}.name", name, subdomain_syntax())
    if kind == "ServiceAccount" and not value.get("namespace"):
        yield required_value(f"{path}.namespace")


OBJECT_RULES: Mapping[str, Sequence[Rule]] = MappingProxyType(
    {
        "ObjectMeta": (_metadata,),
        "LabelSelector": (label_selector,),
        "LabelSelectorRequirement": (_selector_requirement,),
        "RollingUpdateDeployment": (
            number_or_percent("maxSurge"),
            number_or_percent("maxUnavailable", most=100),
            _rollout,
        ),
        "HorizontalPodAutoscalerSpec": (_autoscaler,),
        "CrossVersionObjectReference": (_scale_target,),
        "MetricSpec": (_metric,),
        "ResourceMetricSource": (_resource_metric,),
        "ContainerResourceMetricSource": (_resource_metric, required("container")),
        "PodsMetricSource": (_named_metric,),
        "ExternalMetricSource": (_named_metric,),
        "ObjectMetricSource": (_named_metric,),
        "MetricTarget": (_metric_target,),
        "HPAScalingRules": (_scaling_rules, one_of("selectPolicy", "Disabled", "Max", "Min")),
        "HPAScalingPolicy": (_scaling_policy, one_of("type", "Percent", "Pods")),
        "PodDisruptionBudgetSpec": (
            _budget,
            number_or_percent("minAvailable", most=100),
            number_or_percent("maxUnavailable", most=100),
            one_of("unhealthyPodEvictionPolicy", "AlwaysAllow", "IfHealthyBudget"),
        ),
        "ResourceQuotaSpec": (_quota,),
        "PolicyRule": (_policy_rule,),
        "RoleRef": (_role_reference,),
        "Subject": (_subject,),
        "IPBlock": (required("cidr"),),
        "ServiceBackendPort": (in_range("number", 1, 65535, "must be between 1 and 65535, inclusive"),),
    }
)
"""By type."""
