"""A command in a running container."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Sequence
from typing import cast

from docker.utils.socket import STDOUT, frames_iter

from mldeploy.image.engine import Engine, await_exec
from mldeploy.image.errors import engine_errors
from mldeploy.providers.capabilities import Streams

STDIN_CHUNK = 32768


def execute_command(engine: Engine, container: str, command: Sequence[str], streams: Streams) -> int:
    """Run a command in a container, forward its streams, return its exit status. Raises EngineError.

    A command that does not exist has the status 126 or 127, as in a shell, and the reason on its standard output.
    """
    client, with_input = engine.another_client(), streams.stdin is not None
    try:
        with engine_errors(container[:12]):
            made = client.exec_create(container, list(command), stdin=with_input)["Id"]
            response = client.exec_start(made, socket=True)
            connection = cast("socket.socket", getattr(response, "_sock", response))
            connection.settimeout(None)  # a command may be silent for as long as it likes
            try:
                if with_input:
                    threading.Thread(target=_forward_input, args=(connection, streams), daemon=True).start()
                for stream, data in frames_iter(response, tty=False):
                    (streams.stdout if stream == STDOUT else streams.stderr)(data)
            finally:
                response.close()
            return await_exec(client, made)
    finally:
        client.close()


def _forward_input(connection: socket.socket, streams: Streams) -> None:
    with contextlib.suppress(OSError, ValueError):
        while streams.stdin is not None and (data := streams.stdin(STDIN_CHUNK)):
            connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
