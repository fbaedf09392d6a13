"""The gRPC server: TLS, behind a forwarder that can break connections, which gRPC itself cannot."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar

import grpc
import proto
from google.protobuf.message import Message

from mldeploy.rehearsal.containers.host import Forwarder, relay
from mldeploy.rehearsal.gateway.serving import Authority


class GrpcForwarder(Forwarder):
    """Forwards connections to a local server, and maps the server's peers to clients."""

    def __init__(self, public: tuple[str, int], private: tuple[str, int]) -> None:
        self._mutex = threading.Lock()
        self._clients: dict[str, socket.socket] = {}
        self._private = private
        super().__init__(public, lambda: private)

    def close(self) -> None:
        """Accept no more connections, and break existing ones. May be repeated."""
        super().close()
        with self._mutex:
            peers = list(self._clients)
        for peer in peers:
            self.cut(peer)

    def cut(self, peer: str) -> None:
        """Break the connection of a peer (gRPC's name), with all its calls."""
        with self._mutex:
            client = self._clients.get(peer)
        if client is not None:
            with suppress(OSError):  # already disconnected
                client.shutdown(socket.SHUT_RDWR)

    def _forward(self, connection: socket.socket) -> None:
        with connection, suppress(OSError), socket.create_connection(self._private, timeout=10) as server:
            server.settimeout(None)
            host, port = server.getsockname()[:2]
            peer = f"ipv4:{host}:{port}"
            with self._mutex:
                self._clients[peer] = connection
            try:
                relay(connection, server)
            finally:
                with self._mutex:
                    del self._clients[peer]


_THREADS = 64
"""Held calls keep their thread."""


def serve(
    handler: Callable[[Callable[[str], None]], grpc.GenericRpcHandler],
    authority: Authority,
    public: tuple[str, int],
    private: tuple[str, int],
    stack: ExitStack,
) -> None:
    """Run the server until the stack is closed.

    handler: creates the gRPC handler, from a function that breaks a peer's connection. private: the server's own
    address, to which `public` is forwarded.
    """
    tunnel = GrpcForwarder(public, private)
    server = grpc.server(
        ThreadPoolExecutor(_THREADS), handlers=[handler(tunnel.cut)], options=[("grpc.so_reuseport", 0)]
    )
    key, chain = authority.pair(public[0])
    server.add_secure_port(f"{private[0]}:{private[1]}", grpc.ssl_server_credentials([(key, chain)]))
    server.start()
    stack.callback(lambda: server.stop(grace=None).wait())
    stack.callback(tunnel.close)


RequestT = TypeVar("RequestT")
_READING = ("get", "list", "GetOperation", "access")


@dataclass(frozen=True)
class Method(Generic[RequestT]):
    """service: the API that must be enabled; empty: none. permission: IAM's permission for it.

    request: its request type. answer: its implementation; raises ApiError.
    """

    service: str
    permission: str
    request: type[RequestT]
    answer: Callable[[RequestT], object]

    @property
    def is_writing(self) -> bool:
        """Whether it may change something."""
        return not self.permission.rpartition(".")[2].startswith(_READING)

    def read(self, content: bytes) -> RequestT:
        """Parse a request: a protocol buffer, or an SDK message."""
        return _parse_message(self.request, content)


@dataclass(frozen=True)
class StreamMethod(Generic[RequestT]):
    """A method with a stream of requests and one of responses. service, permission, request: as of Method.

    answer: its implementation, from the requests and from a function whether the client still listens.
    """

    service: str
    permission: str
    request: type[RequestT]
    answer: Callable[[Iterator[RequestT], Callable[[], bool]], Iterator[object]]
    is_writing: ClassVar[bool] = False

    def read(self, content: bytes) -> RequestT:
        """Parse a request."""
        return _parse_message(self.request, content)


Methods: TypeAlias = Mapping[str, "Method[Any] | StreamMethod[Any]"]
"""By their full name, `google.container.v1.ClusterManager/GetCluster`."""


def _parse_message(kind: type[RequestT], content: bytes) -> RequestT:
    name = "FromString" if issubclass(kind, Message) else "deserialize"
    read: Callable[[bytes], RequestT] = getattr(kind, name)
    return read(content)


def serialize(message: object) -> bytes:
    """Serialize a response."""
    if isinstance(message, proto.Message):
        content: bytes = type(message).serialize(message)
        return content
    if isinstance(message, Message):
        return message.SerializeToString()
    raise TypeError(message)
