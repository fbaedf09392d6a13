"""Rules of the API's types, applied wherever a value of the type occurs in a document.

The published schemas have fields and types, but no enumerations, ranges or dependencies between fields: those are in
https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/core/validation/validation.go. A rule names its type as
the schemas do, so that it holds in a Pod, in a Deployment's template, and in every list.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from mldeploy.rehearsal.kubernetes.objects.errors import (
    StatusCause,
    invalid_value,
    required_value,
    unsupported_value,
)
from mldeploy.rehearsal.kubernetes.objects.names import (
    is_key,
    is_label,
    is_subdomain,
    key_syntax,
    label_syntax,
    subdomain_syntax,
)
from mldeploy.rehearsal.kubernetes.objects.schemas import (
    Schema,
    field_schema,
    item_schema,
    resolve_reference,
    type_name,
)
from mldeploy.rehearsal.kubernetes.objects.types import Object

Causes: TypeAlias = Iterator[StatusCause]
Rule: TypeAlias = Callable[[Object, str], Causes]
"""Yields what is wrong with a value of the type at a path."""

PORT_RANGE = "must be between 1 and 65535, inclusive"
ID_RANGE = "must be between 0 and 2147483647, inclusive"
NOT_NEGATIVE = "must be greater than or equal to 0"
_LARGEST_ID = 2147483647
_IP = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"


def apply_type_rules(
    rules: Mapping[str, Sequence[Rule]], schema: Schema, value: Any, path: str = ""
) -> Iterator[StatusCause]:
    """Apply the rules of every type in a document. The document has passed the validation of its fields."""
    schema = resolve_reference(schema)
    if isinstance(value, dict):
        for rule in rules.get(type_name(schema), ()):
            yield from rule(value, path)
        for name, content in value.items():
            inner = field_schema(schema, name)
            if inner is not None and name != "status":
                yield from apply_type_rules(rules, inner, content, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from apply_type_rules(rules, item_schema(schema), each, f"{path}[{number}]")


def one_of(name: str, *known: str) -> Rule:
    """A field that is set has one of these values."""

    def rule(value: Object, path: str) -> Causes:
        if name in value and value[name] not in known:
            yield unsupported_value(f"{path}.{name}", str(value[name]), known)

    return rule


def required(*names: str) -> Rule:
    """These fields are set and not empty."""

    def rule(value: Object, path: str) -> Causes:
        yield from (required_value(f"{path}.{name}") for name in names if value.get(name) in (None, "", [], {}))

    return rule


def in_range(name: str, low: int, high: int, why: str) -> Rule:
    """A number that is set is in a range."""

    def rule(value: Object, path: str) -> Causes:
        if isinstance(value.get(name), int) and not low <= value[name] <= high:
            yield invalid_value(f"{path}.{name}", value[name], why)

    return rule


def at_least(name: str, low: int, why: str) -> Rule:
    return in_range(name, low, 1 << 62, why)


def port_number(name: str) -> Rule:
    return in_range(name, 1, 65535, PORT_RANGE)


def identifier(name: str) -> Rule:
    """A user's or group's number."""
    return in_range(name, 0, _LARGEST_ID, ID_RANGE)


def matching(name: str, is_valid: Callable[[str], bool], why: str) -> Rule:
    """A text that is set and not empty has a syntax."""

    def rule(value: Object, path: str) -> Causes:
        if value.get(name) and not is_valid(value[name]):
            yield invalid_value(f"{path}.{name}", value[name], why)

    return rule


def label(name: str) -> Rule:
    return matching(name, is_label, label_syntax())


def subdomain(name: str) -> Rule:
    return matching(name, is_subdomain, subdomain_syntax())


def qualified(name: str) -> Rule:
    return matching(name, is_key, key_syntax())


def each_matching(name: str, is_valid: Callable[[Any], bool], why: str) -> Rule:
    """Every item of a list has a syntax."""

    def rule(value: Object, path: str) -> Causes:
        for number, each in enumerate(value.get(name) or ()):
            if not is_valid(each):
                yield invalid_value(f"{path}.{name}[{number}]", each, why)

    return rule


def ip_address(name: str) -> Rule:
    return matching(name, is_ip, _IP)


def ip_addresses(name: str) -> Rule:
    return each_matching(name, is_ip, _IP)


def is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def exactly_one(names: Sequence[str], missing: str, several: str) -> Rule:
    """Exactly one of these fields is set."""

    def rule(value: Object, path: str) -> Causes:
        found = [each for each in names if value.get(each) is not None]
        if len(found) != 1:
            yield invalid_value(path, "", several if found else missing)

    return rule


def forbidden_value(field: str, why: str) -> StatusCause:
    """A field must not be set."""
    return StatusCause(field, "FieldValueForbidden", f"Forbidden: {why}")


PERCENT = re.compile(r"[0-9]+%")
PERCENT_SYNTAX = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for "
    "validation is '[0-9]+%')"
)


def number_or_percent(name: str, *, most: int = 0) -> Rule:
    """A number that is not negative, or a percentage. most: of a percentage, 0 for any."""

    def rule(value: Object, path: str) -> Causes:
        amount, here = value.get(name), f"{path}.{name}"
        if isinstance(amount, str) and not PERCENT.fullmatch(amount):
            yield invalid_value(here, amount, PERCENT_SYNTAX)
        elif isinstance(amount, str) and most and int(amount[:-1]) > most:
            yield invalid_value(here, amount, f"must not be greater than {most}%")
        elif isinstance(amount, int) and amount < 0:
            yield invalid_value(here, amount, NOT_NEGATIVE)

    return rule
