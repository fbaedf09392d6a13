"""What an API server answers when it does not do what it is asked: a Status.

https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md#response-status-kind
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mldeploy.rehearsal.kubernetes.objects.types import Object, Resource


class Refused(Exception):  # noqa: N818 - it is an answer
    """A request is not done. status: HTTP's, which the document says, too."""

    def __init__(self, status: int, reason: str, message: str, details: Object | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.details = details

    @property
    def document(self) -> Object:
        """The Status."""
        made: Object = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "details": self.details,
            "code": self.status,
        }
        return {key: value for key, value in made.items() if value not in ("", None)}


@dataclass(frozen=True)
class Cause:
    """What is wrong with one field. field: its path, `spec.replicas`. reason: the API's own word."""

    field: str
    reason: str
    message: str


def required(field: str, why: str = "") -> Cause:
    """It is missing."""
    return Cause(field, "FieldValueRequired", f"Required value{': ' if why else ''}{why}")


def wrong(field: str, value: object, why: str) -> Cause:
    """It cannot be this."""
    return Cause(field, "FieldValueInvalid", f"Invalid value: {_shown(value)}: {why}")


def unsupported(field: str, value: str, known: Sequence[str]) -> Cause:
    """It is none of those that there are."""
    said = ", ".join(f'"{each}"' for each in sorted(known))
    return Cause(field, "FieldValueNotSupported", f'Unsupported value: "{value}": supported values: {said}')


def duplicate(field: str, value: object) -> Cause:
    """There is another one of the same name."""
    return Cause(field, "FieldValueDuplicate", f"Duplicate value: {_shown(value)}")


def _shown(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


def _about(resource: Resource, name: str) -> Object:
    about = {"name": name, "group": resource.group, "kind": resource.plural}
    return {key: value for key, value in about.items() if value}


def not_found(resource: Resource, name: str) -> Refused:
    return Refused(404, "NotFound", f'{resource.name} "{name}" not found', _about(resource, name))


def no_such_path() -> Refused:
    """Nothing answers there."""
    return Refused(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(resource: Resource, name: str) -> Refused:
    return Refused(409, "AlreadyExists", f'{resource.name} "{name}" already exists', _about(resource, name))


def conflict(resource: Resource, name: str, why: str) -> Refused:
    """It is not any more what the caller takes it for."""
    message = f'Operation cannot be fulfilled on {resource.name} "{name}": {why}'
    return Refused(409, "Conflict", message, _about(resource, name))


def modified(resource: Resource, name: str) -> Refused:
    """Somebody else has written it since the caller read it."""
    why = "the object has been modified; please apply your changes to the latest version and try again"
    return conflict(resource, name, why)


def bad_request(message: str) -> Refused:
    return Refused(400, "BadRequest", message)


def invalid(resource: Resource, name: str, causes: Sequence[Cause]) -> Refused:
    """It can be read, and must not be so."""
    said = [f"{each.field}: {each.message}" for each in causes]
    text = said[0] if len(said) == 1 else f"[{', '.join(said)}]"
    details: Object = {
        **_about(resource, name),
        "kind": resource.kind,
        "causes": [{"reason": each.reason, "message": each.message, "field": each.field} for each in causes],
    }
    return Refused(422, "Invalid", f'{resource.qualified} "{name}" is invalid: {text}', details)


def forbidden(resource: Resource, name: str, why: str, causes: Sequence[Object] = ()) -> Refused:
    """An admission says no. name: "" for one that would get its name only then."""
    details = {**_about(resource, name), **({"causes": list(causes)} if causes else {})}
    return Refused(403, "Forbidden", f'{resource.name} "{name}" is forbidden: {why}', details)


def not_allowed(what: str) -> Refused:
    """The method, or what it was sent with, is none for this path."""
    return Refused(
        405, "MethodNotAllowed", f"the server does not allow this method on the requested resource{what}", {}
    )


def unreadable(kind: str) -> Refused:
    """A body of a kind that nobody reads."""
    message = f"the body of the request was in an unknown format - accepted media types include: {kind}"
    return Refused(415, "UnsupportedMediaType", message, {})


def expired(version: int, oldest: int) -> Refused:
    """A watch wants to begin before what is still known."""
    return Refused(410, "Expired", f"too old resource version: {version} ({oldest})")
