"""Errors of the API server: the Status document.

https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md#response-status-kind
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from mldeploy.rehearsal.kubernetes.objects.types import ApiResource, Object


class StatusError(Exception):
    """A request has failed. status: the HTTP status code. reason, message, details: of the Status document."""

    def __init__(self, status: int, reason: str, message: str, details: Object | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.details = details

    @property
    def document(self) -> Object:
        """The Status document."""
        document: Object = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "details": self.details,
            "code": self.status,
        }
        return {key: value for key, value in document.items() if value not in ("", None)}


@dataclass(frozen=True)
class StatusCause:
    """An invalid field. field: its path, `spec.replicas`. reason: as the API defines it."""

    field: str
    reason: str
    message: str


def required_value(field: str, why: str = "") -> StatusCause:
    """A required field is missing."""
    return StatusCause(field, "FieldValueRequired", f"Required value{': ' if why else ''}{why}")


def invalid_value(field: str, value: object, why: str) -> StatusCause:
    """A field has an invalid value."""
    return StatusCause(field, "FieldValueInvalid", f"Invalid value: {_format_value(value)}: {why}")


def unsupported_value(field: str, value: str, known: Sequence[str]) -> StatusCause:
    """A value is not in the list of supported values."""
    messages = ", ".join(f'"{each}"' for each in sorted(known))
    return StatusCause(field, "FieldValueNotSupported", f'Unsupported value: "{value}": supported values: {messages}')


def duplicate_value(field: str, value: object) -> StatusCause:
    """A value occurs twice."""
    return StatusCause(field, "FieldValueDuplicate", f"Duplicate value: {_format_value(value)}")


def _format_value(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


def _details(resource: ApiResource, name: str) -> Object:
    details = {"name": name, "group": resource.group, "kind": resource.plural}
    return {key: value for key, value in details.items() if value}


def not_found(resource: ApiResource, name: str) -> StatusError:
    return StatusError(404, "NotFound", f'{resource.name} "{name}" not found', _details(resource, name))


def path_not_found() -> StatusError:
    """The path does not exist (404)."""
    return StatusError(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(resource: ApiResource, name: str) -> StatusError:
    return StatusError(409, "AlreadyExists", f'{resource.name} "{name}" already exists', _details(resource, name))


def conflict(resource: ApiResource, name: str, why: str) -> StatusError:
    """The object does not meet a precondition (409)."""
    message = f'Operation cannot be fulfilled on {resource.name} "{name}": {why}'
    return StatusError(409, "Conflict", message, _details(resource, name))


def object_modified(resource: ApiResource, name: str) -> StatusError:
    """The object has changed since the client read it (409)."""
    why = "the object has been modified; please apply your changes to the latest version and try again"
    return conflict(resource, name, why)


def bad_request(message: str) -> StatusError:
    return StatusError(400, "BadRequest", message)


def invalid(resource: ApiResource, name: str, causes: Sequence[StatusCause]) -> StatusError:
    """The object fails validation (422)."""
    messages = [f"{each.field}: {each.message}" for each in causes]
    text = messages[0] if len(messages) == 1 else f"[{', '.join(messages)}]"
    details: Object = {
        **_details(resource, name),
        "kind": resource.kind,
        "causes": [{"reason": each.reason, "message": each.message, "field": each.field} for each in causes],
    }
    return StatusError(422, "Invalid", f'{resource.qualified} "{name}" is invalid: {text}', details)


def invalid_options(kind: str, causes: Sequence[StatusCause]) -> StatusError:
    """The parameters of a request fail validation (422). kind: `PatchOptions`."""
    messages = [f"{each.field}: {each.message}" for each in causes]
    text = messages[0] if len(messages) == 1 else f"[{', '.join(messages)}]"
    return _unnamed(f"{kind}.meta.k8s.io", kind, text, causes)


def invalid_patch(document: object, why: str) -> StatusError:
    """The object does not decode after a patch (422)."""
    shown = json.dumps(json.dumps(document, separators=(",", ":")))
    cause = StatusCause("patch", "FieldValueInvalid", f"Invalid value: {shown}: {why}")
    return _unnamed("", "", f"{cause.field}: {cause.message}", [cause])


def _unnamed(qualified: str, kind: str, text: str, causes: Sequence[StatusCause]) -> StatusError:
    details: Object = {
        "kind": kind,
        "causes": [{"reason": each.reason, "message": each.message, "field": each.field} for each in causes],
    }
    return StatusError(422, "Invalid", f'{qualified} "" is invalid: {text}', details)


def malformed_version(text: str) -> StatusError:
    """A resource version is no number (500)."""
    return StatusError(500, "", f'strconv.ParseUint: parsing "{text}": invalid syntax')


def forbidden(resource: ApiResource, name: str, why: str, causes: Sequence[Object] = ()) -> StatusError:
    """Admission rejects the object (403). name: "" if the name is generated."""
    details = {**_details(resource, name), **({"causes": list(causes)} if causes else {})}
    return StatusError(403, "Forbidden", f'{resource.name} "{name}" is forbidden: {why}', details)


def method_not_allowed(what: str) -> StatusError:
    """The path does not support the method (405)."""
    return StatusError(
        405, "MethodNotAllowed", f"the server does not allow this method on the requested resource{what}", {}
    )


def unsupported_media_type(kind: str) -> StatusError:
    """The media type of the body is not supported (415)."""
    message = f"the body of the request was in an unknown format - accepted media types include: {kind}"
    return StatusError(415, "UnsupportedMediaType", message, {})


def expired(version: int, oldest: int) -> StatusError:
    """A watch starts at a version that is no longer available (410)."""
    return StatusError(410, "Expired", f"too old resource version: {version} ({oldest})")
