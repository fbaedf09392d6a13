"""Builds with the engine's classic builder through the SDK."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable
from contextlib import closing
from socket import SocketIO
from typing import IO, cast

from docker import APIClient
from docker.auth import AuthConfig
from docker.errors import APIError, NotFound

from mldeploy.config.secret import Secret
from mldeploy.core.monitor import Monitor
from mldeploy.image.builders.build_progress import BuildInstruction, BuildProgress, strip_ansi
from mldeploy.image.builders.build_request import BuildRequest
from mldeploy.image.builders.stream import Event, Start, follow_stream
from mldeploy.image.engine import Engine
from mldeploy.image.errors import BuildError, EngineError, engine_errors, explain_error
from mldeploy.image.recipe.run_prelude import CLASSIC_SECRET_PATH

_STEP = re.compile(r"Step (\d+)/(\d+) : (.*)", re.DOTALL)
_STUMBLE = re.compile(r'unable to find image "?sha256:|failed to get digest sha256:')
_RUNNING = re.compile(r" ?---> Running in ([0-9a-f]+)")
_CHATTER = re.compile(r" ?---> |Removing intermediate container |\[Warning\] One or more build-args")


class BuilderRaceError(BuildError):
    """The build failed because another image was removed at the same time. Retry: the finished steps are cached.

    The builder compares each step with all images of the same parent (moby, image/cache/cache.go).
    """


def build(engine: Engine, request: BuildRequest, monitor: Monitor) -> str:
    """Build, and return the id of the image, which has no name yet. No intermediate container is left behind.

    Raises BuildError, such as BuilderRaceError; EngineError; ProjectError if a file changes meanwhile; CancelledError
    after a stop, which ends the build.
    """
    log = _StreamLog(engine, BuildProgress(request, monitor))
    with engine_errors(request.reference):
        client = engine.another_client()
        # All bases are on the engine: send no credentials, so that a broken credential helper does no harm.
        # No public API; with an empty configuration the SDK would read the user's again.
        client._auth_configs = AuthConfig({"auths": {"none": {}}})  # type: ignore[attr-defined]  # noqa: SLF001
        try:
            for event in follow_stream(client, _start(request, log.progress), monitor):
                log.add(event)
        except APIError as error:
            raise log.failure(explain_error(error)) from error
    return log.image


def _start(request: BuildRequest, progress: BuildProgress) -> Start:
    def start(client: APIClient) -> Iterable[dict[str, object]]:
        lines: Iterable[dict[str, object]] = client.build(
            fileobj=cast("IO[bytes]", request.context.tar(progress.send_callback())),  # any iterable works
            custom_context=True,
            dockerfile=request.context.dockerfile,
            platform=request.platform,
            buildargs=dict(request.args),
            rm=True,
            forcerm=True,
            decode=True,
        )
        return lines

    return start


class _StreamLog:
    """The state of the engine's log. image: the id of the last image."""

    def __init__(self, engine: Engine, progress: BuildProgress) -> None:
        self.progress = progress
        self._engine = engine
        self.image = ""
        self._instruction = BuildInstruction()

    def add(self, event: Event) -> None:
        """Raises BuildError at the line that reports a failure."""
        if event.error:
            raise self.failure(event.error)
        self.image = event.image or self.image
        text = strip_ansi(event.text)
        if step := _STEP.match(text):
            self._instruction = BuildInstruction(text)
            self.progress.begin(step[3], int(step[1]), int(step[2]))
        elif container := _RUNNING.match(text):
            self._copy_secret(container[1])
        elif not _CHATTER.match(text):
            self._instruction.say(text)
            self.progress.read(text)

    def _copy_secret(self, container: str) -> None:
        """Copy the secret to the container if its instruction waits for it."""
        secret = self.progress.request.secret
        if secret is not None and CLASSIC_SECRET_PATH in self._instruction.name:
            copy_secret(self._engine, container, secret, CLASSIC_SECRET_PATH, self.progress.monitor)

    def failure(self, reason: str) -> Exception:
        if _STUMBLE.search(reason):
            return BuilderRaceError(self._instruction.name, strip_ansi(reason), "Try again.")
        return self.progress.failure(self._instruction, reason)


START_SECONDS = 300.0
"""Seconds that a new container has to start, and a program in it to end."""


def copy_secret(engine: Engine, container: str, secret: Secret, path: str, monitor: Monitor) -> None:
    """Write `secret` to `path` in a running container, through a program's standard input.

    It is in no argument and no variable, so the engine does not store it. `path` must lie on a
    file system in memory, such as /dev/shm, or it would become part of the layer. A container that has ended needs
    none. Raises EngineError if it cannot be written, APIError, CancelledError after a stop.
    """
    content = secret.reveal().encode()
    # The exact number of bytes: not every connection can be closed in one direction alone.
    write = f"umask 077 && head -c {len(content)} > {path}.new && mv {path}.new {path}"
    for _ in monitor.attempts(every=0.05, within=START_SECONDS):
        try:
            made = engine.client.exec_create(container, ["sh", "-c", write], stdin=True)["Id"]
            stream = engine.client.exec_start(made, socket=True)
        except NotFound:
            return
        except APIError as error:
            if error.status_code == 409:  # not running yet
                continue
            raise
        with closing(cast("SocketIO", stream)):
            connection = cast("socket.socket", getattr(stream, "_sock", stream))
            connection.sendall(content)
            while connection.recv(4096):
                pass
        if _has_succeeded(engine, made, monitor):
            return
        break
    todo = "The base image must hold sh and head; or use BuildKit (build.builder)."
    raise EngineError(container, "the credentials could not be copied to the build container", todo)


def _has_succeeded(engine: Engine, program: str, monitor: Monitor) -> bool:
    """Wait for a program in a container whose output has ended: the engine learns a moment later how it ended."""
    for _ in monitor.attempts(every=0.05, within=START_SECONDS):
        try:
            state = engine.client.exec_inspect(program)
        except NotFound:  # the container has ended, too
            return True
        if not state["Running"]:
            return bool(state["ExitCode"] == 0)
    return False
