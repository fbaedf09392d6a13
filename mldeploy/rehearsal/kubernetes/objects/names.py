"""How things may be called. https://kubernetes.io/docs/concepts/overview/working-with-objects/names/"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.refusals import Cause, required, wrong
from mldeploy.rehearsal.kubernetes.objects.types import Object, Resource

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_SERVICE = re.compile("[a-z]([-a-z0-9]*[a-z0-9])?")
_WORD = re.compile("([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_VARIABLE = re.compile("[-._a-zA-Z][-._a-zA-Z0-9]*")
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
_SAYS_SERVICE = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    "'[a-z]([-a-z0-9]*[a-z0-9])?')"
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


def metadata_causes(resource: Resource, metadata: Object, place: str = "metadata") -> Iterator[Cause]:
    """What is wrong with a name, labels and annotations."""
    name = metadata.get("name", "")
    if not name:
        yield required(f"{place}.name", "name or generateName is required")
    elif why := _why_not(resource, name):
        yield wrong(f"{place}.name", name, why)
    yield from label_causes(metadata.get("labels") or {}, f"{place}.labels")
    for key in metadata.get("annotations") or {}:
        if not is_key(key.lower()):
            yield wrong(f"{place}.annotations", key, _SAYS_KEY)


def _why_not(resource: Resource, name: str) -> str:
    if resource is kinds.SERVICES:
        return "" if _SERVICE.fullmatch(name) and len(name) <= 63 else _SAYS_SERVICE
    if resource is kinds.NAMESPACES:
        return "" if is_label(name) else _SAYS_LABEL
    if resource in (kinds.ROLES, kinds.BINDINGS, kinds.CLUSTER_ROLES, kinds.CLUSTER_BINDINGS):
        return ""
    if len(name) > 253:
        return "must be no more than 253 characters"
    return "" if _SUBDOMAIN.fullmatch(name) else _SAYS_SUBDOMAIN


def label_causes(labels: Object, place: str) -> Iterator[Cause]:
    for key, value in labels.items():
        if not is_key(key):
            yield wrong(place, key, _SAYS_KEY)
        if value and len(value) > 63:
            yield wrong(place, value, "must be no more than 63 bytes")
        elif value and not _WORD.fullmatch(value):
            yield wrong(place, value, _SAYS_WORD)


def is_key(key: str) -> bool:
    """Of a label or an annotation: `app`, `example.com/app`."""
    prefix, slash, name = key.rpartition("/")
    if slash and not (len(prefix) <= 253 and _SUBDOMAIN.fullmatch(prefix)):
        return False
    return len(name) <= 63 and bool(_WORD.fullmatch(name))


def is_label(name: str) -> bool:
    """RFC 1123."""
    return len(name) <= 63 and bool(re.fullmatch(_LABEL, name))


def says_label() -> str:
    return _SAYS_LABEL


def is_variable(name: str) -> bool:
    """An environment variable's name."""
    return bool(_VARIABLE.fullmatch(name))


def is_data_key(name: str) -> bool:
    """A key of a ConfigMap or a Secret."""
    return bool(_DATA.fullmatch(name)) and name not in (".", "..") and len(name) <= 253


def is_port_name(name: str) -> bool:
    """RFC 6335."""
    return len(name) <= 15 and bool(_PORT.fullmatch(name))
