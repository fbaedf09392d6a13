"""What an update changes of a service, and pages of lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from google.cloud import run_v2 as run
from google.protobuf.field_mask_pb2 import FieldMask

from mldeploy.rehearsal.gcp.errors import ApiError, Code

_PAGE = 100
SPEC = frozenset(
    (
        "description", "labels", "annotations", "client", "client_version", "ingress", "launch_stage",
        "binary_authorization", "template", "traffic", "scaling", "invoker_iam_disabled", "default_uri_disabled",
        "custom_audiences",
    )
)  # fmt: skip
"""The fields of a service that a caller sets."""
MessageT = TypeVar("MessageT", run.Service, run.Revision)


def merge_service(current: run.Service, wanted: run.Service, paths: Sequence[str]) -> run.Service:
    """Take over the fields of a mask; without one, all that a caller sets. Raises ApiError for other fields."""
    merged = run.Service(current)
    unknown = [path for path in paths if path.partition(".")[0] not in SPEC]
    if unknown:
        raise ApiError(Code.INVALID_ARGUMENT, f"update_mask: invalid or immutable field: {', '.join(unknown)}")
    source, target = run.Service.pb(wanted), run.Service.pb(merged)
    for name in () if paths else SPEC:
        target.ClearField(name)
    mask = FieldMask(paths=paths or sorted(SPEC))
    try:
        for path in paths:
            if "." not in path:
                target.ClearField(path)
        mask.MergeMessage(source, target, True, True)
    except ValueError as error:
        raise ApiError(Code.INVALID_ARGUMENT, f"update_mask: {error}") from error
    return merged


def remove_name(template: run.RevisionTemplate) -> run.RevisionTemplate:
    """Copy a template without the name of its revision."""
    copied = run.RevisionTemplate(template)
    copied.revision = ""
    return copied


def paginate(items: Sequence[MessageT], size: int, token: str) -> tuple[list[MessageT], str]:
    """A page, and the token of the next one."""
    begin, length = int(token) if token.isdecimal() else 0, size if 0 < size <= _PAGE else _PAGE
    end = begin + length
    return list(items[begin:end]), str(end) if end < len(items) else ""
