"""Operations that take long, as most of Google's APIs have them. https://google.aip.dev/151"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TypeAlias

import proto
from google.longrunning import operations_pb2
from google.protobuf.message import Message

from mldeploy.rehearsal.gcp.later import Later
from mldeploy.rehearsal.gcp.refusals import absent
from mldeploy.rehearsal.gcp.rpc.method import Method, Methods

SERVICE = "google.longrunning.Operations"
PERMISSION = f"{SERVICE}.GetOperation"
"""It needs no permission of its own: this is what it is called."""

Made: TypeAlias = Message | proto.Message


class LongRunning:
    """Nothing is done at once: also what takes no time has to be asked for once more."""

    def __init__(self, later: Later) -> None:
        self._later = later
        self._operations: dict[str, operations_pb2.Operation] = {}

    def begin(self, parent: str, phases: float, finish: Callable[[], Made]) -> operations_pb2.Operation:
        """An operation that ends with what `finish` makes."""
        operation = operations_pb2.Operation(name=f"{parent}/{uuid.uuid4()}")
        begun = operations_pb2.Operation(name=operation.name)

        def end() -> None:
            done = operations_pb2.Operation(name=operation.name, done=True)
            done.response.Pack(plain(finish()))
            self._operations[operation.name] = done

        self._operations[operation.name] = operation
        self._later.after(phases, end)
        return begun

    def reset(self) -> None:
        self._operations.clear()

    @property
    def methods(self) -> Methods:
        return {f"{SERVICE}/GetOperation": Method("", PERMISSION, operations_pb2.GetOperationRequest, self._get)}

    def _get(self, request: operations_pb2.GetOperationRequest) -> operations_pb2.Operation:
        if request.name not in self._operations:
            raise absent(request.name)
        return self._operations[request.name]


def plain(message: Made) -> Message:
    """The protocol buffer in one of the SDK's wrappers."""
    if isinstance(message, proto.Message):
        found: Message = type(message).pb(message)
        return found
    return message
