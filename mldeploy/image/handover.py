"""Giving a secret to a container of the classic builder, which has no mounts for it."""

from __future__ import annotations

import socket
from contextlib import closing
from socket import SocketIO
from typing import cast

from docker.errors import APIError, NotFound

from mldeploy.config.secret import Secret
from mldeploy.core.monitor import Monitor
from mldeploy.image.engine import Engine
from mldeploy.image.errors import EngineError

PATIENCE = 30.0
"""Seconds in which a container that was created must run."""


def hand_over(engine: Engine, container: str, secret: Secret, path: str, monitor: Monitor) -> None:
    """Write `secret` to `path` in a running container, through a program's standard input.

    It is in no argument and in no variable, so nothing that the engine keeps or tells holds it. `path` must lie on a
    file system in memory, such as /dev/shm, or it would become part of the layer. A container that has ended needs
    none. Raises EngineError if it cannot be written, APIError, CancelledError after a stop.
    """
    content = secret.reveal().encode()
    # The exact number of bytes: not every connection can be closed in one direction alone.
    write = f"umask 077 && head -c {len(content)} > {path}.new && mv {path}.new {path}"
    for _ in monitor.attempts(every=0.05, within=PATIENCE):
        try:
            made = engine.client.exec_create(container, ["sh", "-c", write], stdin=True)["Id"]
            stream = engine.client.exec_start(made, socket=True)
        except NotFound:
            return
        except APIError as error:
            if error.status_code == 409:  # it does not run yet
                continue
            raise
        with closing(cast("SocketIO", stream)):
            connection = cast("socket.socket", getattr(stream, "_sock", stream))
            connection.sendall(content)
            while connection.recv(4096):
                pass
        if engine.client.exec_inspect(made)["ExitCode"] == 0:
            return
        break
    todo = "The base image must hold sh and head; with BuildKit (build.builder) nothing is handed over."
    raise EngineError(container, "the credentials could not be handed to the container that builds", todo)
