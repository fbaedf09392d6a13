"""Rules of the types in a Pod's spec outside its containers: volumes, scheduling, its security context.

https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from mldeploy.rehearsal.kubernetes.objects.container_rules import relative_path
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
    ID_RANGE,
    Causes,
    Rule,
    each_matching,
    forbidden_value,
    identifier,
    in_range,
    ip_address,
    ip_addresses,
    label,
    one_of,
    qualified,
    required,
    subdomain,
)
from mldeploy.rehearsal.kubernetes.objects.types import Object

_SYSCTL = re.compile(r"([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?")


def _volume(value: Object, path: str) -> Causes:
    if not value.get("name"):
        yield required_value(f"{path}.name")
    sources = [each for each in value if each != "name"]
    if not sources:
        yield required_value(path, "must specify a volume type")
    for each in sources[1:]:
        yield forbidden_value(f"{path}.{each}", "may not specify more than 1 volume type")


def _size_limit(value: Object, path: str) -> Causes:
    try:
        is_negative = parse_quantity(value.get("sizeLimit", 0)) < 0
    except QuantityError:
        return
    if is_negative:
        yield forbidden_value(f"{path}.sizeLimit", "SizeLimit field must be a valid resource quantity")


def _item_path(value: Object, path: str) -> Causes:
    yield from required("key", "path")(value, path)
    yield from relative_path(value.get("path", ""), f"{path}.path")


def mode(name: str) -> Rule:
    """The mode of a file."""
    return in_range(name, 0, 0o777, "must be a number between 0 and 0777 (octal), both inclusive")


def _toleration(value: Object, path: str) -> Causes:
    operator, key = value.get("operator", "Equal"), value.get("key", "")
    if key and not is_key(key):
        yield invalid_value(f"{path}.key", key, key_syntax())
    if not key and operator != "Exists":
        why = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
        yield invalid_value(f"{path}.operator", value.get("operator", ""), why)
    if "tolerationSeconds" in value and value.get("effect") != "NoExecute":
        why = "effect must be 'NoExecute' when `tolerationSeconds` is set"
        yield invalid_value(f"{path}.effect", value.get("effect", ""), why)
    if operator not in ("Equal", "Exists"):
        yield unsupported_value(f"{path}.operator", operator, ("Equal", "Exists"))
    elif operator == "Exists" and value.get("value"):
        yield invalid_value(f"{path}.operator", value["value"], "value must be empty when `operator` is 'Exists'")
    elif not is_label_value(value.get("value", "")):
        yield invalid_value(f"{path}.operator", value["value"], label_value_syntax())


def _node_selector(value: Object, path: str) -> Causes:
    if not value.get("nodeSelectorTerms"):
        yield required_value(f"{path}.nodeSelectorTerms", "must have at least one node selector term")


def _node_requirement(value: Object, path: str) -> Causes:
    operator, values, here = value.get("operator", ""), value.get("values") or [], f"{path}.values"
    if operator in ("In", "NotIn") and not values:
        yield required_value(here, "must be specified when `operator` is 'In' or 'NotIn'")
    elif operator in ("Exists", "DoesNotExist") and values:
        yield forbidden_value(here, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
    elif operator in ("Gt", "Lt") and len(values) != 1:
        yield required_value(here, "must be specified single value when `operator` is 'Lt' or 'Gt'")
    elif operator not in ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"):
        yield invalid_value(f"{path}.operator", operator, "not a valid selector operator")
    if not is_key(value.get("key", "")):
        yield invalid_value(f"{path}.key", value.get("key", ""), key_syntax())


def _topology_key(value: Object, path: str) -> Causes:
    yield from required("topologyKey")(value, path)
    if value.get("topologyKey", "x") and not is_key(value.get("topologyKey", "")):
        yield invalid_value(f"{path}.topologyKey", value.get("topologyKey", ""), key_syntax())


def _spread(value: Object, path: str) -> Causes:
    if value.get("maxSkew", 0) <= 0:
        yield invalid_value(f"{path}.maxSkew", value.get("maxSkew", 0), "must be greater than zero")
    yield from _topology_key(value, path)
    if value.get("whenUnsatisfiable") not in ("DoNotSchedule", "ScheduleAnyway"):
        shown = str(value.get("whenUnsatisfiable", ""))
        yield unsupported_value(f"{path}.whenUnsatisfiable", shown, ("DoNotSchedule", "ScheduleAnyway"))
    if "minDomains" in value and value["minDomains"] <= 0:
        yield invalid_value(f"{path}.minDomains", value["minDomains"], "must be greater than zero")


def _sysctl(value: Object, path: str) -> Causes:
    name = value.get("name", "")
    if not name:
        yield required_value(f"{path}.name")
    elif len(name) > 253 or not _SYSCTL.fullmatch(name):
        why = rf"must have at most 253 characters and match regex ^{_SYSCTL.pattern}$"
        yield invalid_value(f"{path}.name", name, why)


def _pod(value: Object, path: str) -> Causes:
    if value.get("dnsPolicy") == "None" and not (value.get("dnsConfig") or {}).get("nameservers"):
        where = f"{path}.dnsConfig.nameservers" if value.get("dnsConfig") else f"{path}.dnsConfig"
        yield required_value(where, "must provide `dnsConfig` when `dnsPolicy` is None")
    if "." in value.get("subdomain", ""):
        yield invalid_value(f"{path}.subdomain", value["subdomain"], "must not contain dots")
    elif value.get("subdomain"):
        yield from label("subdomain")(value, path)
    for key, text in (value.get("nodeSelector") or {}).items():
        if not is_key(key):
            yield invalid_value(f"{path}.nodeSelector", key, key_syntax())
        if not is_label_value(text):
            yield invalid_value(f"{path}.nodeSelector", text, label_value_syntax())
    if (value.get("os") or {"name": "linux"}).get("name") not in ("linux", "windows"):
        yield unsupported_value(f"{path}.os", str(value["os"].get("name", "")), ("linux", "windows"))
    yield from _host_processes(value, path)
    yield from _claims(value, path)


def _host_processes(value: Object, path: str) -> Causes:
    contexts = [value, *(value.get("containers") or ()), *(value.get("initContainers") or ())]
    options = [((each.get("securityContext") or {}).get("windowsOptions") or {}) for each in contexts]
    if any(each.get("hostProcess") for each in options) and not value.get("hostNetwork"):
        why = "hostNetwork must be true if pod contains any hostProcess containers"
        yield invalid_value(f"{path}.hostNetwork", False, why)


def _claims(value: Object, path: str) -> Causes:
    known = [each.get("name") for each in value.get("resourceClaims") or ()]
    for index, container in enumerate(value.get("containers") or ()):
        for number, claim in enumerate((container.get("resources") or {}).get("claims") or ()):
            if claim.get("name") not in known:
                here = f"{path}.containers[{index}].resources.claims[{number}]"
                yield StatusCause(here, "FieldValueNotFound", f'Not found: "{claim.get("name", "")}"')


def _is_group(number: object) -> bool:
    return isinstance(number, int) and 0 <= number <= 2147483647


POD_RULES: Mapping[str, Sequence[Rule]] = MappingProxyType(
    {
        "PodSecurityContext": (
            *(identifier(each) for each in ("runAsUser", "runAsGroup", "fsGroup")),
            each_matching("supplementalGroups", _is_group, ID_RANGE),
            one_of("fsGroupChangePolicy", "Always", "OnRootMismatch"),
            one_of("supplementalGroupsPolicy", "Merge", "Strict"),
        ),
        "Sysctl": (_sysctl,),
        "Volume": (_volume, label("name")),
        "EmptyDirVolumeSource": (_size_limit,),
        "SecretVolumeSource": (required("secretName"), mode("defaultMode")),
        "ConfigMapVolumeSource": (required("name"), mode("defaultMode")),
        "ProjectedVolumeSource": (mode("defaultMode"),),
        "DownwardAPIVolumeSource": (mode("defaultMode"),),
        "KeyToPath": (_item_path, mode("mode")),
        "HostPathVolumeSource": (
            required("path"),
            one_of(
                "type",
                "",
                "BlockDevice",
                "CharDevice",
                "Directory",
                "DirectoryOrCreate",
                "File",
                "FileOrCreate",
                "Socket",
            ),
        ),
        "PersistentVolumeClaimVolumeSource": (required("claimName"),),
        "PodSpec": (
            _pod,
            one_of("dnsPolicy", "ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"),
            one_of("restartPolicy", "Always", "OnFailure", "Never"),
            label("hostname"),
            *(subdomain(each) for each in ("runtimeClassName", "nodeName", "serviceAccountName", "priorityClassName")),
        ),
        "PodDNSConfig": (ip_addresses("nameservers"),),
        "HostAlias": (ip_address("ip"), each_matching("hostnames", is_subdomain, subdomain_syntax())),
        "Toleration": (_toleration, one_of("effect", "NoSchedule", "PreferNoSchedule", "NoExecute")),
        "NodeSelector": (_node_selector,),
        "NodeSelectorRequirement": (_node_requirement,),
        "PreferredSchedulingTerm": (in_range("weight", 1, 100, "must be in the range 1-100"),),
        "WeightedPodAffinityTerm": (in_range("weight", 1, 100, "must be in the range 1-100"),),
        "PodAffinityTerm": (_topology_key,),
        "TopologySpreadConstraint": (_spread,),
        "PodReadinessGate": (qualified("conditionType"),),
        "PodSchedulingGate": (required("name"), qualified("name")),
    }
)
"""By type, besides those of containers."""
