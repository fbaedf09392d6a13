"""Rules of the types in a Pod's spec.

https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from mldeploy.rehearsal.kubernetes.objects.errors import (
    StatusCause,
    duplicate_value,
    invalid_value,
    required_value,
    unsupported_value,
)
from mldeploy.rehearsal.kubernetes.objects.names import (
    is_data_key,
    is_key,
    is_label_value,
    is_port_name,
    is_subdomain,
    is_variable,
    key_syntax,
    label_value_syntax,
    subdomain_syntax,
)
from mldeploy.rehearsal.kubernetes.objects.quantities import QuantityError, parse_quantity
from mldeploy.rehearsal.kubernetes.objects.type_rules import (
    ID_RANGE,
    NOT_NEGATIVE,
    PORT_RANGE,
    Causes,
    Rule,
    at_least,
    each_matching,
    exactly_one,
    forbidden_value,
    identifier,
    in_range,
    ip_address,
    ip_addresses,
    label,
    one_of,
    port_number,
    qualified,
    required,
    subdomain,
)
from mldeploy.rehearsal.kubernetes.objects.types import Object

HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")
"""In the order in which the API server looks for a second one."""
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
PROTOCOLS = ("SCTP", "TCP", "UDP")
DATA_KEY = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  "
    "or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
ENVIRONMENT_NAME = "a valid environment variable name must consist only of printable ASCII characters other than '='"
_SECONDS = ("initialDelaySeconds", "periodSeconds", "timeoutSeconds", "failureThreshold", "successThreshold")
_HEADER = re.compile(r"[-A-Za-z0-9]+")
_HEADER_SYNTAX = (
    "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for "
    "validation is '[-A-Za-z0-9]+')"
)
_SYSCTL = re.compile(r"([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?")
_FIELDS = re.compile(
    r"metadata\.(name|namespace|uid|labels\['[^']+'\]|annotations\['[^']+'\])|spec\.(nodeName|serviceAccountName)"
    r"|status\.(hostIPs?|podIPs?)"
)
_AMOUNTS = tuple(f"{part}.{name}" for part in ("limits", "requests") for name in ("cpu", "ephemeral-storage", "memory"))
_STANDARD = ("cpu", "memory", "ephemeral-storage")
_KNOWN = (
    *_STANDARD,
    "storage",
    "pods",
    "services",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "resourcequotas",
)
QUALIFIED = "must be a standard resource type or fully qualified"


def _probe(value: Object, path: str) -> Causes:
    yield from _handler(value, path, HANDLERS[:4])
    yield from (cause for name in _SECONDS for cause in at_least(name, 0, NOT_NEGATIVE)(value, path))


def _hook(value: Object, path: str) -> Causes:
    yield from _handler(value, path, (*HANDLERS[:3], "sleep"))


def _handler(value: Object, path: str, known: Sequence[str]) -> Causes:
    handlers = [each for each in known if each in value]
    if not handlers:
        yield required_value(path, "must specify a handler type")
    for each in handlers[1:]:
        yield forbidden_value(f"{path}.{each}", "may not specify more than 1 handler type")


def _named_port(value: Object, path: str) -> Causes:
    port = value.get("port", 0)
    if isinstance(port, int) and not 1 <= port <= 65535:
        yield invalid_value(f"{path}.port", port, PORT_RANGE)
    elif isinstance(port, str) and not is_port_name(port):
        why = "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"
        yield invalid_value(f"{path}.port", port, why)


def _headers(value: Object, path: str) -> Causes:
    for each in value.get("httpHeaders") or ():
        if not _HEADER.fullmatch(each.get("name", "")):
            yield invalid_value(f"{path}.httpHeaders", each.get("name", ""), _HEADER_SYNTAX)


def _container_ports(value: Object, path: str) -> Causes:
    seen: Counter[str] = Counter()
    for number, port in enumerate(value.get("ports") or ()):
        here, name = f"{path}.ports[{number}]", port.get("name", "")
        seen[name] += 1
        if name and not is_port_name(name):
            yield invalid_value(f"{here}.name", name, "must be no more than 15 characters")
        elif name and seen[name] > 1:
            yield duplicate_value(f"{here}.name", name)
        if not port.get("containerPort"):
            yield required_value(f"{here}.containerPort")


def _container_mounts(value: Object, path: str) -> Causes:
    seen: Counter[str] = Counter()
    privileged = (value.get("securityContext") or {}).get("privileged")
    for number, mount in enumerate(value.get("volumeMounts") or ()):
        here, target = f"{path}.volumeMounts[{number}]", mount.get("mountPath", "")
        seen[target] += 1
        if not target:
            yield required_value(f"{here}.mountPath")
        elif seen[target] > 1:
            yield invalid_value(f"{here}.mountPath", target, "must be unique")
        if mount.get("subPath") and mount.get("subPathExpr"):
            why = "subPathExpr and subPath are mutually exclusive"
            yield invalid_value(f"{here}.subPathExpr", mount["subPathExpr"], why)
        if mount.get("mountPropagation") == "Bidirectional" and not privileged:
            why = "Bidirectional mount propagation is available only to privileged containers"
            yield forbidden_value(f"{path}.volumeMounts.mountPropagation", why)
        for name in ("subPath", "subPathExpr"):
            yield from _relative(mount.get(name, ""), f"{path}.volumeMounts.{name}")
        yield from _recursive_read_only(mount, f"{path}.volumeMounts.recursiveReadOnly")


def _recursive_read_only(mount: Object, path: str) -> Causes:
    mode = mount.get("recursiveReadOnly", "Disabled")
    if mode not in ("Disabled", "Enabled", "IfPossible"):
        yield unsupported_value(path, mode, ("Disabled", "Enabled", "IfPossible"))
    elif mode != "Disabled" and not mount.get("readOnly"):
        yield forbidden_value(path, "may only be specified when readOnly is true")


def _relative(text: str, path: str) -> Causes:
    if text.startswith("/"):
        yield invalid_value(path, text, "must be a relative path")
    elif ".." in text.split("/"):
        yield invalid_value(path, text, "must not contain '..'")


def _variable(value: Object, path: str) -> Causes:
    name = value.get("name", "")
    if not name:
        yield required_value(f"{path}.name")
    elif not is_variable(name):
        yield invalid_value(f"{path}.name", name, ENVIRONMENT_NAME)
    if value.get("value") and value.get("valueFrom"):
        yield invalid_value(f"{path}.valueFrom", "", "may not be specified when `value` is not empty")


def _key_reference(value: Object, path: str) -> Causes:
    if not is_subdomain(value.get("name", "")):
        yield invalid_value(f"{path}.name", value.get("name", ""), subdomain_syntax())
    if not value.get("key"):
        yield required_value(f"{path}.key")
    elif not is_data_key(value["key"]):
        yield invalid_value(f"{path}.key", value["key"], DATA_KEY)


def _resource_reference(value: Object, path: str) -> Causes:
    name = value.get("resource", "")
    if not name:
        yield required_value(f"{path}.resource")
    elif name not in _AMOUNTS and not re.fullmatch(r"(limits|requests)\.hugepages-.+", name):
        yield unsupported_value(f"{path}.resource", name, _AMOUNTS)


def _field_reference(value: Object, path: str) -> Causes:
    field = value.get("fieldPath", "")
    if not field:
        yield required_value(f"{path}.fieldPath")
    elif not _FIELDS.fullmatch(field):
        why = f"error converting fieldPath: field label not supported: {field}"
        yield invalid_value(f"{path}.fieldPath", field, why)


def _source(value: Object, path: str) -> Causes:
    """An item of envFrom. The server names the list for a wrong choice of the source."""
    found = [each for each in ("configMapRef", "secretRef") if each in value]
    if len(found) != 1:
        missing = "must specify one of: `configMapRef` or `secretRef`"
        why = "may not have more than one field specified at a time" if found else missing
        yield invalid_value(path.rpartition("[")[0], "", why)
    for each in found:
        name = value[each].get("name", "")
        if not name:
            yield required_value(f"{path}.{each}.name")
        elif not is_subdomain(name):
            yield invalid_value(f"{path}.{each}.name", name, subdomain_syntax())
    if value.get("prefix") and not is_variable(value["prefix"]):
        yield invalid_value(f"{path}.prefix", value["prefix"], ENVIRONMENT_NAME)


def _resources(value: Object, path: str) -> Causes:
    requests, limits = (value.get(each) or {} for each in ("requests", "limits"))
    for part, amounts in (("limits", limits), ("requests", requests)):
        for name in amounts:
            yield from _amount(name, amounts[name], f"{path}.{part}[{name}]")
    for name, limit in limits.items():
        request = requests.get(name, limit)
        if _more(request, limit) or (not _overcommits(name) and _more(limit, request)):
            how = "less than or equal to" if _overcommits(name) else "equal to"
            yield invalid_value(f"{path}.requests", str(request), f"must be {how} {name} limit of {limit}")
    if any(not _overcommits(name) and name not in limits for name in requests):
        yield required_value(f"{path}.limits", "Limit must be set for non overcommitable resources")


def _amount(name: str, value: object, path: str) -> Causes:
    if not is_key(name) or ("/" not in name and name not in _KNOWN and not name.startswith("hugepages-")):
        yield invalid_value(path, name, QUALIFIED)
    elif "/" not in name and name not in _STANDARD and not name.startswith("hugepages-"):
        yield invalid_value(path, name, "must be a standard resource for containers")
    try:
        amount = parse_quantity(value)
    except QuantityError:
        return  # decoding has refused it
    if amount < 0:
        yield invalid_value(path, str(value), NOT_NEGATIVE)
    elif "/" in name and amount % 1:
        yield invalid_value(path, str(value), "must be an integer")


def _overcommits(name: str) -> bool:
    """Whether a request may be lower than the limit: not of huge pages and extended resources."""
    return "/" not in name and not name.startswith("hugepages-")


def _more(one: object, other: object) -> bool:
    try:
        return parse_quantity(one) > parse_quantity(other)
    except QuantityError:
        return False


def _seccomp(value: Object, path: str) -> Causes:
    is_local = value.get("type") == "Localhost"
    if is_local and not value.get("localhostProfile"):
        yield required_value(f"{path}.localhostProfile", "must be set when seccomp type is Localhost")
    if not is_local and "localhostProfile" in value:
        yield invalid_value(f"{path}.localhostProfile", "", "can only be set when seccomp type is Localhost")


def _security(value: Object, path: str) -> Causes:
    if value.get("privileged") and value.get("allowPrivilegeEscalation") is False:
        yield invalid_value(path, "", "cannot set `allowPrivilegeEscalation` to false and `privileged` to true")


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
    yield from _relative(value.get("path", ""), f"{path}.path")


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


_ONE_SOURCE = exactly_one(
    ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef"),
    "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`",
    "may not have more than one field specified at a time",
)
POD_RULES: Mapping[str, Sequence[Rule]] = MappingProxyType(
    {
        "Probe": (_probe, at_least("terminationGracePeriodSeconds", 1, "must be greater than 0")),
        "LifecycleHandler": (_hook,),
        "ExecAction": (required("command"),),
        "HTTPGetAction": (_named_port, _headers, required("path"), one_of("scheme", "HTTP", "HTTPS")),
        "TCPSocketAction": (_named_port,),
        "GRPCAction": (_named_port,),
        "Container": (
            _container_ports,
            _container_mounts,
            one_of("imagePullPolicy", "Always", "IfNotPresent", "Never"),
            one_of("terminationMessagePolicy", "File", "FallbackToLogsOnError"),
        ),
        "ContainerPort": (port_number("containerPort"), port_number("hostPort"), one_of("protocol", *PROTOCOLS)),
        "EnvVar": (_variable,),
        "EnvVarSource": (_ONE_SOURCE,),
        "SecretKeySelector": (_key_reference,),
        "ConfigMapKeySelector": (_key_reference,),
        "ResourceFieldSelector": (_resource_reference,),
        "ObjectFieldSelector": (_field_reference,),
        "EnvFromSource": (_source,),
        "ResourceRequirements": (_resources,),
        "SecurityContext": (
            _security,
            identifier("runAsUser"),
            identifier("runAsGroup"),
            one_of("procMount", "Default", "Unmasked"),
        ),
        "PodSecurityContext": (
            *(identifier(each) for each in ("runAsUser", "runAsGroup", "fsGroup")),
            each_matching("supplementalGroups", _is_group, ID_RANGE),
            one_of("fsGroupChangePolicy", "Always", "OnRootMismatch"),
            one_of("supplementalGroupsPolicy", "Merge", "Strict"),
        ),
        "SeccompProfile": (_seccomp, one_of("type", "Localhost", "RuntimeDefault", "Unconfined")),
        "AppArmorProfile": (one_of("type", "Localhost", "RuntimeDefault", "Unconfined"),),
        "Sysctl": (_sysctl,),
        "VolumeMount": (one_of("mountPropagation", "Bidirectional", "HostToContainer", "None"),),
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
"""By type."""


def iterate_containers(spec: Object, path: str) -> Iterator[tuple[Object, str]]:
    """Yield every container of a spec with its path."""
    for part in ("initContainers", "containers"):
        for number, each in enumerate(spec.get(part) or ()):
            yield each, f"{path}.{part}[{number}]"
