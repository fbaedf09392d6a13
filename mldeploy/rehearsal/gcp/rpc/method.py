"""One method of a gRPC service: what it needs, what it is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

import proto
from google.protobuf.message import Message

RequestT = TypeVar("RequestT")
_READING = ("get", "list", "GetOperation")


@dataclass(frozen=True)
class Method(Generic[RequestT]):
    """service: the API that must be enabled; empty: none. permission: what IAM asks of its caller.

    request: the type of its request. answer: what does it; it raises ApiError.
    """

    service: str
    permission: str
    request: type[RequestT]
    answer: Callable[[RequestT], object]

    @property
    def is_writing(self) -> bool:
        """It may change something."""
        return not self.permission.rpartition(".")[2].startswith(_READING)

    def read(self, content: bytes) -> RequestT:
        """The request from its bytes: a protocol buffer, or the SDK's wrapper of one."""
        name = "FromString" if issubclass(self.request, Message) else "deserialize"
        read: Callable[[bytes], RequestT] = getattr(self.request, name)
        return read(content)


Methods: TypeAlias = Mapping[str, Method[Any]]
"""By their full name, `google.container.v1.ClusterManager/GetCluster`."""


def written(message: object) -> bytes:
    """An answer's bytes."""
    if isinstance(message, proto.Message):
        content: bytes = type(message).serialize(message)
        return content
    if isinstance(message, Message):
        return message.SerializeToString()
    raise TypeError(message)
