"""The engine's BuildKit, driven by the docker command: the SDK cannot speak to it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import IO, cast

from mldeploy.core.monitor import Monitor
from mldeploy.image.builder import Client
from mldeploy.image.engine import context_name
from mldeploy.image.errors import EngineError, engine_errors
from mldeploy.image.order import Order
from mldeploy.image.stream import heard
from mldeploy.image.told import Instruction, Told, plain

_VERTEX = re.compile(r"#(\d+) (.*)")
_PLACE = re.compile(r"\[(?P<stage>.*?)\d+/(?P<count>\d+)\] (?P<instruction>.*)")
_SAID = re.compile(r"\d+\.\d+ (.*)")
_CHATTER = re.compile(r"CACHED|CANCELED|\.\.\.|(DONE|sha256:|extracting|transferring|resolve) ?")
_PREAMBLE = re.compile(
    r"(ERROR: |failed to solve( with frontend \S+)?: |rpc error: code = \w+ desc = |failed to \w+ LLB[^:]*: )*"
)
_MEANT_FOR_CLIENT = re.compile(r"(DOCKER|BUILDX|BUILDKIT)_|(PATH|HOME|TMPDIR)$")
"""Arguments that the docker command would obey itself, did they stand in its environment."""
_MEMORY = "/dev/shm"  # noqa: S108 - the files in it are nobody else's to read
_PATIENCE = 10.0
"""Seconds in which the docker command ends the build once it is told to."""


def build(client: Client, order: Order, monitor: Monitor) -> str:
    """Build, and return the id of the image, which has no name yet.

    Raises BuildError, EngineError, ProjectError if a file changes meanwhile, CancelledError after a stop, upon which
    the docker command ends the build.
    """
    log = _Log(Told(order, monitor))
    with engine_errors(order.reference), tempfile.TemporaryDirectory(prefix="mldeploy-") as folder:
        identity = Path(folder, "image")
        source = ["-"] if order.recipe is None else _unpacked(log.told, Path(folder))
        with _secret(order) as secret:
            command = [*_command(client, order), *secret, f"--iidfile={identity}", *source]
            with _running(command, order) as process:
                for line in _lines(process, log.told, monitor):
                    log.hear(line)
        if process.returncode:
            raise log.failure()
        return identity.read_text().strip()


@contextmanager
def _secret(order: Order) -> Iterator[list[str]]:
    """A file that nobody else may read, in memory where there is such a place, and gone afterwards."""
    if order.secret is None:
        yield []
        return
    with tempfile.NamedTemporaryFile(prefix="mldeploy-", dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None) as file:
        file.write(order.secret.reveal().encode())
        file.flush()
        yield [f"--secret=id=mldeploy,src={file.name}"]


def _unpacked(told: Told, folder: Path) -> list[str]:
    """Files and a recipe beside them: of a stream, BuildKit would take all into the image, `.dockerignore` or not."""
    context, recipe = folder / "context", folder / "Dockerfile"
    told.order.context.unpack(context, told.sent())
    recipe.write_bytes(told.order.recipe or b"")
    return [f"--file={recipe}", str(context)]


def _command(client: Client, order: Order) -> list[str]:
    """Arguments' values stand in the environment, since everybody can read a command line."""
    # Only the engine's own BuildKit has the engine's images, the base among them.
    start = ["buildx", "build", f"--builder={context_name()}"] if client.buildx else ["build"]
    args = [f"{name}={value}" if _MEANT_FOR_CLIENT.match(name) else name for name, value in order.args.items()]
    recipe = [f"--file={order.context.dockerfile}"] if order.recipe is None else []
    return [
        *(client.program, *start, "--progress=plain", f"--platform={order.platform}", *recipe),
        *(f"--build-arg={arg}" for arg in args),
        *(f"--cache-from={reference}" for reference in order.cache_from),
        # What the engine's own BuildKit can write: the cache as a part of the image.
        *(["--build-arg=BUILDKIT_INLINE_CACHE=1"] if order.cache_to else []),
    ]


@contextmanager
def _running(command: list[str], order: Order) -> Iterator[subprocess.Popen[bytes]]:
    """The docker command, in a session of its own: the terminal's Ctrl-C is ours to hand on."""
    plainly = {"DOCKER_BUILDKIT": "1", "BUILDX_NO_DEFAULT_ATTESTATIONS": "1", "DOCKER_CLI_HINTS": "false"}
    args = {name: value for name, value in order.args.items() if not _MEANT_FOR_CLIENT.match(name)}
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, **args, **plainly},
            start_new_session=True,
        )
    except OSError as error:
        raise EngineError(command[0], f"cannot be started: {error.strerror}", "See that it is a program.") from error
    try:
        yield process
        process.wait()
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """The command and its plugin, which is a process of its own."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    for pipe in (process.stdin, process.stderr):
        with suppress(OSError):  # what could not be sent any more
            pipe.close()  # type: ignore[union-attr]


def _lines(process: subprocess.Popen[bytes], told: Told, monitor: Monitor) -> Iterator[str]:
    """What the command says, while it is sent the context."""
    lines: SimpleQueue[str | BaseException | None] = SimpleQueue()

    def feed() -> None:
        try:
            with cast("IO[bytes]", process.stdin) as pipe:
                for block in told.order.context.tar(told.sent()) if told.order.recipe is None else ():
                    pipe.write(block)
        except BrokenPipeError:
            pass  # the command has ended, and its last words say why
        except BaseException as error:  # noqa: BLE001 - it is raised by the thread that waits
            lines.put(error)

    def read() -> None:
        for line in cast("IO[bytes]", process.stderr):
            lines.put(line.decode(errors="replace").rstrip("\r\n"))
        lines.put(None)

    for work in (feed, read):
        threading.Thread(target=work, name=f"buildkit-{work.__name__}", daemon=True).start()
    while (line := heard(lines, monitor)) is not None:
        yield line


class _Log:
    """The command's plain log: `#7 [builder 2/4] RUN …`, then `#7 0.15 what it printed`, `#7 DONE 0.2s`."""

    def __init__(self, told: Told) -> None:
        self.told = told
        self._instructions: dict[str, Instruction] = {}
        self._stages: dict[str, int] = {}
        self._begun = 0
        self._failed = Instruction()
        self._last = Instruction()
        """What belongs to no instruction: in the end, the reason of a failure."""

    def hear(self, line: str) -> None:
        line = plain(line)
        vertex = _VERTEX.match(line)
        if vertex is None:
            self._last.say(line)
            return
        number, said = vertex.groups()
        known = self._instructions.get(number)
        if known is None:
            self._instructions[number] = Instruction(said)
            self._begin(said)
        elif said.startswith("ERROR"):
            self._failed = known
        elif printed := _SAID.match(said):
            known.say(printed[1])
        elif said != known.name and not _CHATTER.match(said):
            known.say(said)

    def _begin(self, name: str) -> None:
        if place := _PLACE.match(name):
            self._begun += 1
            self._stages[place["stage"]] = int(place["count"])
            self.told.begin(place["instruction"], self._begun, sum(self._stages.values()))

    def failure(self) -> Exception:
        reason = self._last.lines[-1] if self._last.lines else "it ended without a word"
        return self.told.failure(self._failed, _PREAMBLE.sub("", reason))
