"""The SDK's calls, held against the service models: types, what is required, lengths, ranges, patterns and values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.model import OperationModel, Shape
from botocore.validate import ParamValidator


@dataclass(frozen=True)
class RecordedCall:
    """One call, with its parameters as they were given to the SDK."""

    operation: OperationModel
    parameters: Mapping[str, Any]


def record_calls(session: boto3.Session, calls: list[RecordedCall]) -> None:
    """Append every call of the clients that the session makes from now on."""

    def record(params: Mapping[str, Any], model: OperationModel, **_: object) -> None:
        calls.append(RecordedCall(model, params))

    session.events.register("before-parameter-build.*.*", record)


def violations(call: RecordedCall) -> list[str]:
    """What AWS would refuse. The SDK itself checks neither patterns nor upper limits nor values before it sends."""
    shape = call.operation.input_shape
    if shape is None:
        return []
    report = ParamValidator().validate(dict(call.parameters), shape)
    found = [report.generate_report()] if report.has_errors() else []
    name = f"{call.operation.service_model.service_name}.{call.operation.name}"
    return [f"{name}: {each}" for each in (*found, *_limits(call.parameters, shape, ""))]


def _limits(value: Any, shape: Shape, path: str) -> Iterator[str]:
    shapes: Any = shape  # the stubs know no members
    if shape.type_name == "structure":
        for key, member in value.items():
            yield from _limits(member, shapes.members[key], f"{path}.{key}")
    elif shape.type_name == "list":
        yield from _length(value, shape, path)
        for position, member in enumerate(value):
            yield from _limits(member, shapes.member, f"{path}[{position}]")
    elif shape.type_name == "map":
        for key, member in value.items():
            yield from _limits(key, shapes.key, f"{path}.{key}")
            yield from _limits(member, shapes.value, f"{path}.{key}")
    else:
        yield from _scalar(value, shape, path)


def _scalar(value: Any, shape: Shape, path: str) -> Iterator[str]:
    if shape.type_name == "string":
        yield from _length(value, shape, path)
        pattern, values = shape.metadata.get("pattern"), shape.metadata.get("enum")
        if pattern and not re.fullmatch(_python_pattern(pattern), value, re.DOTALL):
            yield f"{path}: {value!r} does not match {pattern}"
        if values and value not in values:
            yield f"{path}: {value!r} is none of {values}"
    elif shape.type_name in ("integer", "long") and value > shape.metadata.get("max", value):
        yield f"{path}: {value} is more than {shape.metadata['max']}"


def _length(value: Sequence[object], shape: Shape, path: str) -> Iterator[str]:
    least, most = shape.metadata.get("min", 0), shape.metadata.get("max", len(value))
    if not least <= len(value) <= most:
        yield f"{path}: has {len(value)} elements or characters; {least} to {most} are allowed"


def _python_pattern(pattern: str) -> str:
    """The models' patterns are Java's, and name classes of characters as Python does not."""
    for java, python in _JAVA.items():
        pattern = pattern.replace(java, python)
    return pattern


_JAVA = {
    r"\p{L}": r"\w",
    r"\p{Z}": r"\s",
    r"\p{N}": r"\d",
    r"\p{Print}": "[ -~]",
    r"\uD800\uDC00-\uDBFF\uDFFF": r"\U00010000-\U0010FFFF",
}
