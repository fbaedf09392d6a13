"""The gRPC server: TLS, with a way to it that can break."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import grpc

from mldeploy.rehearsal.door.authority import Authority
from mldeploy.rehearsal.gcp.rpc.tunnel import Tunnel

_THREADS = 64
"""Each call has one; those that are held have theirs as long as they are."""


def serve(
    handler: Callable[[Callable[[str], None]], grpc.GenericRpcHandler],
    authority: Authority,
    public: tuple[str, int],
    private: tuple[str, int],
    stack: ExitStack,
) -> None:
    """Answer until the stack is left.

    handler: made with what breaks a peer's connection. private: where the server itself listens; the way leads from
    `public`.
    """
    tunnel = Tunnel(public, private)
    server = grpc.server(
        ThreadPoolExecutor(_THREADS), handlers=[handler(tunnel.cut)], options=[("grpc.so_reuseport", 0)]
    )
    key, chain = authority.pair(public[0])
    server.add_secure_port(f"{private[0]}:{private[1]}", grpc.ssl_server_credentials([(key, chain)]))
    server.start()
    stack.callback(lambda: server.stop(grace=None).wait())
    stack.callback(tunnel.close)
