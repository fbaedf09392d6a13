"""Field validation against the schema: unknown fields and wrong types."""

from __future__ import annotations

import base64
import copy
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mldeploy.rehearsal.kubernetes.objects.errors import StatusError, bad_request
from mldeploy.rehearsal.kubernetes.objects.quantities import QuantityError, parse_quantity
from mldeploy.rehearsal.kubernetes.objects.schemas import (
    ANY_SCHEMA,
    Schema,
    field_schema,
    item_identity,
    item_schema,
    json_types,
    list_map_keys,
    schema_of,
    type_name,
)
from mldeploy.rehearsal.kubernetes.objects.types import ApiResource, Object

_JSON = {str: "string", bool: "boolean", int: "integer", float: "number", dict: "object", list: "array"}
_GO = {
    "string": "string",
    "boolean": "bool",
    "integer": "number",
    "number": "number",
    "object": "object",
    "array": "array",
}
_TYPED = {
    "string": "string",
    "boolean": "boolean",
    "integer": "numeric (int or float)",
    "array": "list",
    "object": "map",
}


@dataclass(frozen=True)
class FieldFlaw:
    """An unknown field or a wrong type. index: path such as `spec.containers[0].foo`; keyed: path with list keys,

    such as `.spec.containers[name="app"].foo`. expected: a JSON type; "": unknown field.
    """

    index: str
    keyed: str
    expected: str = ""
    got: str = ""


def find_flaws(schema: Schema, value: Any, index: str = "", keyed: str = "") -> Iterator[FieldFlaw]:
    """Find everything in a document that its schema does not allow."""
    if value is None:
        return
    got, allowed = _JSON.get(type(value), "null"), json_types(schema)
    if allowed and not _fits(got, allowed):
        yield FieldFlaw(index, keyed, next(iter(sorted(allowed - {"null"}))), got)
    elif isinstance(value, dict):
        yield from _object_flaws(schema, value, index, keyed)
    elif isinstance(value, list):
        inner, names = item_schema(schema), list_map_keys(schema)
        for number, each in enumerate(value):
            item_path = _item_key(names, each) if names and isinstance(each, dict) else f"[{number}]"
            yield from find_flaws(inner, each, f"{index}[{number}]", f"{keyed}{item_path}")


def _fits(got: str, allowed: frozenset[str]) -> bool:
    return got in allowed or (got == "integer" and "number" in allowed)


def _object_flaws(schema: Schema, value: Mapping[str, Any], index: str, keyed: str) -> Iterator[FieldFlaw]:
    for name, content in value.items():
        inner, here = field_schema(schema, name), f"{index}.{name}" if index else name
        if inner is None:
            yield FieldFlaw(here, f"{keyed}.{name}")
        else:
            yield from find_flaws(inner, content, here, f"{keyed}.{name}")


def _item_key(names: tuple[str, ...], value: Mapping[str, Any]) -> str:
    messages = (
        f'{name}="{content}"' if isinstance(content, str) else f"{name}={content}"
        for name, content in item_identity(names, value)
    )
    return f"[{','.join(messages)}]"


def validate_fields(resource: ApiResource, document: Object, *, strict: bool) -> list[str]:
    """Validate types and fields; returns warnings. Unknown fields are removed from the document.

    Raises StatusError for wrong types, and if strict for unknown fields. https://kubernetes.io/docs/reference/using-api/api-concepts/#field-validation
    """
    _fill_nulls(schema_of(resource), document)
    all_flaws = list(find_flaws(schema_of(resource), document))
    cannot = f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}'
    for flaw in all_flaws:
        if flaw.expected:
            problem = f"json: cannot unmarshal {_GO[flaw.got]} into Go struct field {resource.kind}.{flaw.index}"
            raise bad_request(f"{cannot}: {problem} of type {flaw.expected}")
    if problem := next(_coded_flaws(schema_of(resource), document), ""):
        raise bad_request(f"{cannot}: {problem}")
    unknown = [f'unknown field "{flaw.index}"' for flaw in all_flaws]
    if unknown and strict:
        raise bad_request(f"{cannot}: strict decoding error: {', '.join(unknown)}")
    if unknown:
        _prune(schema_of(resource), document)
    return unknown


def _fill_nulls(schema: Schema, value: Any) -> None:
    """Replace each null in a list by the type's zero value, as the server decodes it."""
    if isinstance(value, list):
        zero: Any = {} if "object" in json_types(item_schema(schema)) else ""
        value[:] = [copy.copy(zero) if each is None else each for each in value]
        for each in value:
            _fill_nulls(item_schema(schema), each)
    elif isinstance(value, dict):
        for name, content in value.items():
            _fill_nulls(field_schema(schema, name) or ANY_SCHEMA, content)


def _coded_flaws(schema: Schema, value: Any) -> Iterator[str]:
    """Yield what is wrong with the texts that the server decodes: quantities, times and base64."""
    if isinstance(value, dict):
        for name, content in value.items():
            yield from _coded_flaws(field_schema(schema, name) or ANY_SCHEMA, content)
    elif isinstance(value, list):
        for each in value:
            yield from _coded_flaws(item_schema(schema), each)
    elif isinstance(value, str) and value and (decode := _DECODERS.get(type_name(schema) or schema.get("format", ""))):
        yield from decode(value)


def _quantity_flaws(text: str) -> Iterator[str]:
    try:
        parse_quantity(text)
    except QuantityError as error:
        yield str(error)


def _time_flaws(text: str) -> Iterator[str]:
    if not _RFC3339.fullmatch(text):
        form = "2006-01-02T15:04:05Z07:00"
        yield f'parsing time "{text}" as "{form}": cannot parse "{text}" as "2006"'


def _base64_flaws(text: str) -> Iterator[str]:
    plain = text.replace("\n", "").replace("\r", "")
    stray = next((number for number, each in enumerate(plain) if not _BASE64.fullmatch(each)), None)
    if stray is None:
        try:
            base64.b64decode(plain, validate=True)
        except ValueError:
            stray = len(plain)
    if stray is not None:
        yield f"illegal base64 data at input byte {stray}"


_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
_BASE64 = re.compile(r"[A-Za-z0-9+/=]")
_DECODERS: Mapping[str, Callable[[str], Iterator[str]]] = {
    "Quantity": _quantity_flaws,
    "Time": _time_flaws,
    "MicroTime": _time_flaws,
    "byte": _base64_flaws,
}
"""By the type's name, or by the format."""


def _prune(schema: Schema, value: Any) -> None:
    if isinstance(value, list):
        for each in value:
            _prune(item_schema(schema), each)
    elif isinstance(value, dict):
        for name in list(value):
            inner = field_schema(schema, name)
            if inner is None:
                del value[name]
            else:
                _prune(inner, value[name])


def validate_typed_patch(resource: ApiResource, namespace: str, name: str, document: Object) -> None:
    """Validate an apply configuration. Raises StatusError (500), as server-side apply does.

    https://github.com/kubernetes/kubernetes/issues/122480
    """
    schema = schema_of(resource)
    messages = [f"{flaw.keyed}: {_explain(flaw)}" for flaw in find_flaws(schema, document)]
    messages += _find_duplicates(schema, document, "")
    if messages:
        about = f"{namespace}/{name}; {resource.api_version}, Kind={resource.kind}"
        text = messages[0] if len(messages) == 1 else "errors:\n" + "\n".join(f"  {each}" for each in messages)
        raise StatusError(500, "", f"failed to create typed patch object ({about}): {text}")


def _find_duplicates(schema: Schema, value: Any, path: str) -> Iterator[str]:
    """Find items of keyed lists with the same key."""
    if isinstance(value, dict):
        for name, content in value.items():
            yield from _find_duplicates(field_schema(schema, name) or ANY_SCHEMA, content, f"{path}.{name}")
    elif isinstance(value, list):
        names, seen = list_map_keys(schema), set()
        for number, each in enumerate(value):
            key = _item_key(names, each) if names and isinstance(each, dict) else f"[{number}]"
            if key in seen:
                yield f"{path}: duplicate entries for key {key}"
            seen.add(key)
            yield from _find_duplicates(item_schema(schema), each, f"{path}{key}")


def _explain(flaw: FieldFlaw) -> str:
    if not flaw.expected:
        return "field not declared in schema"
    return f"expected {_TYPED.get(flaw.expected, flaw.expected)}, got {flaw.got}"


def drop_nulls(value: Any) -> Any:
    """A copy without null fields."""
    if isinstance(value, dict):
        return {name: drop_nulls(content) for name, content in value.items() if content is not None}
    return [drop_nulls(each) for each in value] if isinstance(value, list) else value
