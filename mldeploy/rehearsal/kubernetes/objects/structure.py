"""Whether a document is built as its type's schema says: no unknown field, and each of the right type."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mldeploy.rehearsal.kubernetes.objects.refusals import Refused, bad_request
from mldeploy.rehearsal.kubernetes.objects.schemas import Schema, child, identity, item, keys, schema_of, types
from mldeploy.rehearsal.kubernetes.objects.types import Object, Resource

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
class Flaw:
    """index: its path as a decoder says it, `spec.containers[0].foo`; keyed: `.spec.containers[name="app"].foo`.

    expected: a JSON type, or "" for a field that there is not.
    """

    index: str
    keyed: str
    expected: str = ""
    got: str = ""


def flaws(schema: Schema, value: Any, index: str = "", keyed: str = "") -> Iterator[Flaw]:
    """Everything in a document that its schema does not know."""
    if value is None:
        return
    got, allowed = _JSON.get(type(value), "null"), types(schema)
    if allowed and not _fits(got, allowed):
        yield Flaw(index, keyed, next(iter(sorted(allowed - {"null"}))), got)
    elif isinstance(value, dict):
        yield from _of_object(schema, value, index, keyed)
    elif isinstance(value, list):
        inner, names = item(schema), keys(schema)
        for number, each in enumerate(value):
            place = _place(names, each) if names and isinstance(each, dict) else f"[{number}]"
            yield from flaws(inner, each, f"{index}[{number}]", f"{keyed}{place}")


def _fits(got: str, allowed: frozenset[str]) -> bool:
    return got in allowed or (got == "integer" and "number" in allowed)


def _of_object(schema: Schema, value: Mapping[str, Any], index: str, keyed: str) -> Iterator[Flaw]:
    for name, content in value.items():
        inner, here = child(schema, name), f"{index}.{name}" if index else name
        if inner is None:
            yield Flaw(here, f"{keyed}.{name}")
        else:
            yield from flaws(inner, content, here, f"{keyed}.{name}")


def _place(names: tuple[str, ...], value: Mapping[str, Any]) -> str:
    said = (
        f'{name}="{found}"' if isinstance(found, str) else f"{name}={found}" for name, found in identity(names, value)
    )
    return f"[{','.join(said)}]"


def checked(resource: Resource, document: Object, *, strict: bool) -> list[str]:
    """Raises Refused for what cannot be decoded; strict: for unknown fields, too. Otherwise what is to be warned of.

    Unknown fields are taken away from the document. https://kubernetes.io/docs/reference/using-api/api-concepts/#field-validation
    """
    found = list(flaws(schema_of(resource), document))
    cannot = f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}'
    for flaw in found:
        if flaw.expected:
            what = f"json: cannot unmarshal {_GO[flaw.got]} into Go struct field {resource.kind}.{flaw.index}"
            raise bad_request(f"{cannot}: {what} of type {flaw.expected}")
    unknown = [f'unknown field "{flaw.index}"' for flaw in found]
    if unknown and strict:
        raise bad_request(f"{cannot}: strict decoding error: {', '.join(unknown)}")
    if unknown:
        _prune(schema_of(resource), document)
    return unknown


def _prune(schema: Schema, value: Any) -> None:
    if isinstance(value, list):
        for each in value:
            _prune(item(schema), each)
    elif isinstance(value, dict):
        for name in list(value):
            inner = child(schema, name)
            if inner is None:
                del value[name]
            else:
                _prune(inner, value[name])


def check_typed(resource: Resource, namespace: str, name: str, document: Object) -> None:
    """Raises Refused as server-side apply does, which has no better status for it than 500.

    https://github.com/kubernetes/kubernetes/issues/122480
    """
    said = [f"{flaw.keyed}: {_why(flaw)}" for flaw in flaws(schema_of(resource), document)]
    if said:
        about = f"{namespace}/{name}; {resource.api_version}, Kind={resource.kind}"
        text = said[0] if len(said) == 1 else "errors:\n" + "\n".join(f"  {each}" for each in said)
        raise Refused(500, "", f"failed to create typed patch object ({about}): {text}")


def _why(flaw: Flaw) -> str:
    if not flaw.expected:
        return "field not declared in schema"
    return f"expected {_TYPED.get(flaw.expected, flaw.expected)}, got {flaw.got}"


def without_nulls(value: Any) -> Any:
    """A copy in which a field that is null is one that is not there."""
    if isinstance(value, dict):
        return {name: without_nulls(content) for name, content in value.items() if content is not None}
    return [without_nulls(each) for each in value] if isinstance(value, list) else value
