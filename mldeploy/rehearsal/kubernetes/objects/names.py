"""Syntax of names, labels and keys. https://kubernetes.io/docs/concepts/overview/working-with-objects/names/"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.errors import StatusCause, bad_request, invalid_value, required_value
from mldeploy.rehearsal.kubernetes.objects.types import ApiResource, Object

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_ANNOTATIONS = 256 << 10
"""Bytes of all annotations of an object."""
_WORD = re.compile("([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_VARIABLE = re.compile("[ -<>-~]+")
_DATA = re.compile("[-._a-zA-Z0-9]+")
_PORT = re.compile("(?=.*[a-z])(?!.*--)[a-z0-9]([-a-z0-9]*[a-z0-9])?")

_SAYS_SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_SAYS_LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_SAYS_WORD = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_SAYS_KEY = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)


def validate_metadata(resource: ApiResource, metadata: Object, field: str = "metadata") -> Iterator[StatusCause]:
    """Validate name, labels and annotations."""
    name = metadata.get("name", "")
    if not name:
        yield required_value(f"{field}.name", "name or generateName is required")
    elif why := _why_not(resource, name):
        yield invalid_value(f"{field}.name", name, why)
    yield from validate_labels(metadata.get("labels") or {}, f"{field}.labels")
    yield from validate_annotations(metadata.get("annotations") or {}, f"{field}.annotations")


def validate_annotations(annotations: Object, field: str) -> Iterator[StatusCause]:
    for key in annotations:
        if not is_key(key.lower()):
            yield invalid_value(field, key, _SAYS_KEY)
    if sum(len(each.encode()) for pair in annotations.items() for each in pair) > _ANNOTATIONS:
        yield StatusCause(field, "FieldValueTooLong", f"Too long: may not be more than {_ANNOTATIONS} bytes")


def _why_not(resource: ApiResource, name: str) -> str:
    if resource in (kinds.SERVICES, kinds.NAMESPACES):
        return "" if is_label(name) else _SAYS_LABEL
    if resource in (kinds.ROLES, kinds.BINDINGS, kinds.CLUSTER_ROLES, kinds.CLUSTER_BINDINGS):
        return next((f"may not contain '{each}'" for each in "/%" if each in name), "")
    if len(name) > 253:
        return "must be no more than 253 characters"
    return "" if _SUBDOMAIN.fullmatch(name) else _SAYS_SUBDOMAIN


def validate_labels(labels: Object, field: str) -> Iterator[StatusCause]:
    for key, value in labels.items():
        if not is_key(key):
            yield invalid_value(field, key, _SAYS_KEY)
        if value and len(value) > 63:
            yield invalid_value(field, value, "must be no more than 63 bytes")
        elif value and not _WORD.fullmatch(value):
            yield invalid_value(field, value, _SAYS_WORD)


def is_key(key: str) -> bool:
    """Whether it is a valid label or annotation key: `app`, `example.com/app`."""
    prefix, slash, name = key.rpartition("/")
    if slash and not (len(prefix) <= 253 and _SUBDOMAIN.fullmatch(prefix)):
        return False
    return len(name) <= 63 and bool(_WORD.fullmatch(name))


def is_label(name: str) -> bool:
    """RFC 1123."""
    return len(name) <= 63 and bool(re.fullmatch(_LABEL, name))


def label_syntax() -> str:
    return _SAYS_LABEL


def is_subdomain(name: str) -> bool:
    """RFC 1123."""
    return len(name) <= 253 and bool(_SUBDOMAIN.fullmatch(name))


def subdomain_syntax() -> str:
    return _SAYS_SUBDOMAIN


def key_syntax() -> str:
    return _SAYS_KEY


def is_label_value(text: str) -> bool:
    return not text or (len(text) <= 63 and bool(_WORD.fullmatch(text)))


def label_value_syntax() -> str:
    return _SAYS_WORD


def is_variable(name: str) -> bool:
    """An environment variable's name: printable ASCII without =, since Kubernetes 1.34."""
    return bool(_VARIABLE.fullmatch(name))


def is_data_key(name: str) -> bool:
    """A key of a ConfigMap or a Secret."""
    return bool(_DATA.fullmatch(name)) and name != "." and not name.startswith("..") and len(name) <= 253


def is_port_name(name: str) -> bool:
    """RFC 6335."""
    return len(name) <= 15 and bool(_PORT.fullmatch(name))


ObjectFilter = Callable[[Object], bool]
_SET = re.compile(r"(?P<key>[^\s!=,()]+)\s+(?P<how>in|notin)\s*\((?P<values>[^)]*)\)")
_EQUAL = re.compile(r"(?P<key>[^\s!=,()]+)\s*(?P<how>==|=|!=)\s*(?P<value>[^\s!=,()]*)")
_ORDER = re.compile(r"(?P<key>[^\s!=,()<>]+)\s*(?P<how>[<>])\s*(?P<value>-?[0-9]+)")
_THERE = re.compile(r"(?P<no>!?)\s*(?P<key>[^\s!=,()]+)")
_PARTS = re.compile(r",(?![^(]*\))")


def parse_label_selector(text: str) -> ObjectFilter:
    """Parse a label selector into a filter. Raises StatusError (400)."""
    tests = [_parse_requirement(each.strip()) for each in _PARTS.split(text) if each.strip()]
    return lambda document: all(test(labels_of(document)) for test in tests)


def labels_of(document: Object) -> Mapping[str, str]:
    labels: Mapping[str, str] = document.get("metadata", {}).get("labels") or {}
    return labels


def _parse_requirement(text: str) -> Callable[[Mapping[str, str]], bool]:
    if parts := _SET.fullmatch(text):
        key, values = parts["key"], {each.strip() for each in parts["values"].split(",")}
        return _within(key, values, parts["how"] == "in")
    if parts := _EQUAL.fullmatch(text):
        return _within(parts["key"], {parts["value"]}, parts["how"] != "!=")
    if parts := _ORDER.fullmatch(text):
        return _ordered(parts["key"], parts["how"], int(parts["value"]))
    if parts := _THERE.fullmatch(text):
        key, there = parts["key"], not parts["no"]
        return lambda labels: (key in labels) is there
    raise bad_request(f"unable to parse requirement: {text}")


def _ordered(key: str, how: str, bound: int) -> Callable[[Mapping[str, str]], bool]:
    """`n>2`: only labels that are integers match."""

    def test(labels: Mapping[str, str]) -> bool:
        value = labels.get(key, "")
        if not re.fullmatch("-?[0-9]+", value):
            return False
        return int(value) > bound if how == ">" else int(value) < bound

    return test


def _within(key: str, values: set[str], included: bool) -> Callable[[Mapping[str, str]], bool]:
    if included:
        return lambda labels: labels.get(key) in values
    return lambda labels: labels.get(key) not in values


_FIELDS: Mapping[ApiResource, tuple[str, ...]] = {
    kinds.PODS: (
        *("spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork"),
        *("status.phase", "status.podIP", "status.nominatedNodeName"),
    ),
    kinds.EVENTS: (
        *(f"involvedObject.{each}" for each in ("kind", "namespace", "name", "uid", "apiVersion", "fieldPath")),
        *("involvedObject.resourceVersion", "reason", "reportingComponent", "source", "type"),
    ),
    kinds.NAMESPACES: ("status.phase",),
    kinds.NODES: ("spec.unschedulable",),
    kinds.SECRETS: ("type",),
    kinds.SERVICES: ("spec.clusterIP", "spec.type"),
    kinds.REPLICA_SETS: ("status.replicas",),
}
"""The fields that can be selected, besides name and namespace.

https://kubernetes.io/docs/concepts/overview/working-with-objects/field-selectors/#list-of-supported-fields
"""


def parse_field_selector(text: str, resource: ApiResource | None = None) -> ObjectFilter:
    """Parse a field selector into a filter: `metadata.name=x,status.phase!=Running`. Raises StatusError (400)."""
    tests = []
    for each in filter(None, text.split(",")):
        parts = re.fullmatch(r"([^=!]+)(==|=|!=)(.*)", each)
        if parts is None:
            raise bad_request(f"invalid selector: '{each}'; can't understand '{each}'")
        if resource is not None and parts[1] not in ("metadata.name", "metadata.namespace", *_FIELDS.get(resource, ())):
            raise bad_request(f"field label not supported: {parts[1]}")
        tests.append((parts[1].split("."), parts[3], parts[2] != "!="))
    return lambda document: all((_field_value(document, path) == value) is same for path, value, same in tests)


def _field_value(document: Any, path: list[str]) -> str:
    for name in path:
        document = document.get(name, "") if isinstance(document, Mapping) else ""
    return str(document).lower() if isinstance(document, bool) else str(document)


def matches_selector(selector: Object | None, labels: Mapping[str, str]) -> bool:
    """Whether a LabelSelector matches labels. None matches nothing, an empty selector everything."""
    if selector is None:
        return False
    simple = all(labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items())
    return simple and all(_matches_expression(each, labels) for each in selector.get("matchExpressions") or ())


def _matches_expression(each: Object, labels: Mapping[str, str]) -> bool:
    value, values = labels.get(each["key"]), each.get("values") or ()
    answers = {
        "In": value in values,
        "NotIn": value not in values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }
    return answers.get(each["operator"], False)
