"""Schemas of request bodies: members, types, required members. Unknown members are rejected."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeAlias

from werkzeug.wrappers import Response

Json: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class ListOf:
    """A list of items of one schema."""

    items: Schema


@dataclass(frozen=True)
class MapOf:
    """A mapping with arbitrary keys and values of one schema."""

    items: Schema


@dataclass(frozen=True)
class OneOf:
    """One of the given words, case-insensitive."""

    words: Sequence[str]


@dataclass(frozen=True)
class ObjectSchema:
    """An object. name: its type name in Azure's error messages. required: the required members."""

    name: str
    members: Mapping[str, Schema]
    required: Sequence[str] = field(default=())


Schema: TypeAlias = type | ListOf | MapOf | OneOf | ObjectSchema
_TYPES = {
    str: "System.String",
    bool: "System.Boolean",
    int: "System.Int32",
    float: "System.Double",
    list: "System.Array",
    dict: "System.Object",
}


def validate(content: object, schema: Schema, path: str = "") -> None:
    """Validate content; null is valid. Raises ArmError, 400 InvalidRequestContent, for the first error."""
    if content is None:
        return
    if isinstance(schema, ObjectSchema):
        _validate_object(content, schema, path)
    elif isinstance(schema, MapOf):
        for name, each in _require_object(content, schema, path).items():
            validate(each, schema.items, _join_path(path, name))
    elif isinstance(schema, ListOf):
        if not isinstance(content, list):
            raise _type_error(content, "System.Collections.Generic.List", path)
        for number, each in enumerate(content):
            validate(each, schema.items, f"{path}[{number}]")
    else:
        _validate_value(content, schema, path)


def _validate_value(content: object, schema: type | OneOf, path: str) -> None:
    if isinstance(schema, OneOf):
        if str(content).lower() not in [word.lower() for word in schema.words]:
            raise _type_error(content, f"one of {', '.join(schema.words)}", path)
        return
    is_right = isinstance(content, (int, float) if schema is float else schema)
    if not is_right or (schema in (int, float) and isinstance(content, bool)):
        raise _type_error(content, _TYPES[schema], path)


def _validate_object(content: object, schema: ObjectSchema, path: str) -> None:
    members = _require_object(content, schema, path)
    for name, each in members.items():
        if name not in schema.members:
            where = f"Path '{_join_path(path, name)}', line 1, position 1."
            raise _content_error(f"Could not find member '{name}' on object of type '{schema.name}'. {where}")
        validate(each, schema.members[name], _join_path(path, name))
    for name in schema.required:
        if members.get(name) is None:
            where = f"Path '{path}', line 1, position 1."
            raise _content_error(f"Required property '{name}' not found in JSON. {where}")


def _require_object(content: object, schema: Schema, path: str) -> Mapping[str, object]:
    if not isinstance(content, dict):
        raise _type_error(content, schema.name if isinstance(schema, ObjectSchema) else "System.Object", path)
    return content


def _join_path(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _type_error(content: object, kind: str, path: str) -> ArmError:
    return _content_error(f"Error converting value {content!r} to type '{kind}'. Path '{path}', line 1, position 1.")


def _content_error(what: str) -> ArmError:
    message = f"The request content was invalid and could not be deserialized: '{what}'"
    return ArmError(400, "InvalidRequestContent", message)


_NONE: Mapping[str, str] = MappingProxyType({})


class ArmError(Exception):
    """An error response. Standard: Azure Resource Manager, "Error response"."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] = _NONE) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers)

    @property
    def body(self) -> Mapping[str, object]:
        """The response body."""
        return {"error": {"code": self.code, "message": self.message}}

    def response(self) -> Response:
        """Return the HTTP response."""
        return Response(
            json.dumps(self.body), self.status, self.headers, content_type="application/json; charset=utf-8"
        )


class SiteError(ArmError):
    """An error response of App Service, in its specific form."""

    @property
    def body(self) -> Mapping[str, object]:
        entity = {"ExtendedCode": "00000", "MessageTemplate": self.message, "Code": self.code, "Message": self.message}
        details = [{"Message": self.message}, {"Code": self.code}, {"ErrorEntity": entity}]
        return {"Code": self.code, "Message": self.message, "Target": None, "Details": details, "Innererror": None}
