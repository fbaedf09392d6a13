"""Rules of the types in a container: probes, ports, variables, resources, mounts and its security context.

https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#Container
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from mldeploy.rehearsal.kubernetes.objects.errors import (
    duplicate_value,
    invalid_value,
    required_value,
    unsupported_value,
)
from mldeploy.rehearsal.kubernetes.objects.names import (
    is_data_key,
    is_key,
    is_port_name,
    is_subdomain,
    is_variable,
    subdomain_syntax,
)
from mldeploy.rehearsal.kubernetes.objects.quantities import QuantityError, parse_quantity
from mldeploy.rehearsal.kubernetes.objects.type_rules import (
    NOT_NEGATIVE,
    PORT_RANGE,
    Causes,
    Rule,
    at_least,
    exactly_one,
    forbidden_value,
    identifier,
    one_of,
    port_number,
    required,
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
            yield from relative_path(mount.get(name, ""), f"{path}.volumeMounts.{name}")
        yield from _recursive_read_only(mount, f"{path}.volumeMounts.recursiveReadOnly")


def _recursive_read_only(mount: Object, path: str) -> Causes:
    mode = mount.get("recursiveReadOnly", "Disabled")
    if mode not in ("Disabled", "Enabled", "IfPossible"):
        yield unsupported_value(path, mode, ("Disabled", "Enabled", "IfPossible"))
    elif mode != "Disabled" and not mount.get("readOnly"):
        yield forbidden_value(path, "may only be specified when readOnly is true")


def relative_path(text: str, path: str) -> Causes:
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


_ONE_SOURCE = exactly_one(
    ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef"),
    "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`",
    "may not have more than one field specified at a time",
)
CONTAINER_RULES: Mapping[str, Sequence[Rule]] = MappingProxyType(
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
        "SeccompProfile": (_seccomp, one_of("type", "Localhost", "RuntimeDefault", "Unconfined")),
        "AppArmorProfile": (one_of("type", "Localhost", "RuntimeDefault", "Unconfined"),),
        "VolumeMount": (one_of("mountPropagation", "Bidirectional", "HostToContainer", "None"),),
    }
)
"""By type."""


def iterate_containers(spec: Object, path: str) -> Iterator[tuple[Object, str]]:
    """Yield every container of a spec with its path."""
    for part in ("initContainers", "containers"):
        for number, each in enumerate(spec.get(part) or ()):
            yield each, f"{path}.{part}[{number}]"
