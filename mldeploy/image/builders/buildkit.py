"""Builds with the engine's BuildKit through the docker command. The SDK does not support it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import IO, cast

from mldeploy.core.git import is_dropped
from mldeploy.core.monitor import Monitor
from mldeploy.core.scratch import scratch_folder
from mldeploy.image.builders.build_progress import BuildInstruction, BuildProgress, strip_ansi
from mldeploy.image.builders.build_request import BuildRequest
from mldeploy.image.builders.choice import Client
from mldeploy.image.builders.stream import wait_for_line
from mldeploy.image.engine import context_name
from mldeploy.image.errors import EngineError, engine_errors

_VERTEX = re.compile(r"#(\d+) (.*)")
_POSITION = re.compile(r"\[(?P<stage>.*?)\d+/(?P<count>\d+)\] (?P<instruction>.*)")
_OUTPUT = re.compile(r"\d+\.\d+ (.*)")
_CHATTER = re.compile(r"CACHED|CANCELED|\.\.\.|(DONE|sha256:|extracting|transferring|resolve) ?")
_PREAMBLE = re.compile(
    r"(ERROR: |failed to solve( with frontend \S+)?: |rpc error: code = \w+ desc = |failed to \w+ LLB[^:]*: )*"
)
_PROXY = re.compile(r"(https?|ftp|no|all)_proxy", re.IGNORECASE)
"""Arguments that may hold a password, and that the docker command may obey itself. Any other could load a program into
it (LD_PRELOAD), or lead it to another engine (DOCKER_HOST): it never gets into the environment."""
_SECRET = "MLDEPLOY_BUILD_SECRET"  # noqa: S105 - the variable's name
_STOP_SECONDS = 10.0
"""Seconds that the docker command has to end the build after SIGTERM."""


def build(client: Client, request: BuildRequest, monitor: Monitor) -> str:
    """Build, and return the id of the image, which has no name yet.

    Raises BuildError, EngineError, ProjectError if a file changes meanwhile, CancelledError after a stop, upon which
    the docker command ends the build.
    """
    log = _PlainLog(BuildProgress(request, monitor))
    with engine_errors(request.reference), scratch_folder() as folder:
        identity = folder / "image"
        source = ["-"] if request.recipe is None else _unpack_context(log.progress, folder)
        command = [*_build_command(client, request), f"--iidfile={identity}", *source]
        with _start_command(command, request) as process:
            for line in _read_lines(process, log.progress, monitor):
                log.add(line)
        if process.returncode:
            raise log.failure()
        return identity.read_text().strip()


def _unpack_context(progress: BuildProgress, folder: Path) -> list[str]:
    """Write the context and the recipe to files: from a stream, BuildKit would ignore `.dockerignore`."""
    context, recipe = folder / "context", folder / "Dockerfile"
    progress.request.context.unpack(context, progress.send_callback())
    recipe.write_bytes(progress.request.recipe or b"")
    return [f"--file={recipe}", str(context)]


def _build_command(client: Client, request: BuildRequest) -> list[str]:
    """Return the command. Values of proxies are passed in the environment, since command lines are public."""
    # Only the engine's own BuildKit can use the engine's images, such as the base.
    start = ["buildx", "build", f"--builder={context_name()}"] if client.buildx else ["build"]
    args = [name if _PROXY.fullmatch(name) else f"{name}={value}" for name, value in request.args.items()]
    recipe = [f"--file={request.context.dockerfile}"] if request.recipe is None else []
    return [
        *(client.program, *start, "--progress=plain", f"--platform={request.platform}", *recipe),
        *(f"--build-arg={arg}" for arg in args),
        *(f"--cache-from={reference}" for reference in request.cache_from),
        # From the environment: a file would remain if the process is killed.
        *([f"--secret=id=mldeploy,type=env,env={_SECRET}"] if request.secret else []),
        # The engine's own BuildKit supports only inline caches.
        *(["--build-arg=BUILDKIT_INLINE_CACHE=1"] if request.cache_to else []),
    ]


def _parent_death_prefix() -> list[str]:
    """Return a prefix that ends the docker command if we are killed (prctl(2), PR_SET_PDEATHSIG), if available."""
    program = shutil.which("setpriv")
    return [program, "--pdeathsig", "TERM", "--"] if program and sys.platform == "linux" else []


def _inherited_environment() -> dict[str, str]:
    """Return the environment without what names another repository: the docker command may run git."""
    return {name: value for name, value in os.environ.items() if not is_dropped(name)}


@contextmanager
def _start_command(command: list[str], request: BuildRequest) -> Iterator[subprocess.Popen[bytes]]:
    """Run the docker command in a new session, so that Ctrl-C does not reach it directly."""
    options = {"DOCKER_BUILDKIT": "1", "BUILDX_NO_DEFAULT_ATTESTATIONS": "1", "DOCKER_CLI_HINTS": "false"}
    options |= {"BUILDX_GIT_INFO": "false"}  # or buildx runs git, which a hook's GIT_DIR leads to another repository
    args = {name: value for name, value in request.args.items() if _PROXY.fullmatch(name)}
    secret = {_SECRET: request.secret.reveal()} if request.secret else {}
    try:
        process = subprocess.Popen(
            [*_parent_death_prefix(), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**_inherited_environment(), **args, **options, **secret},
            start_new_session=True,
        )
    except OSError as error:
        raise EngineError(command[0], f"cannot be started: {error.strerror}", "See that it is a program.") from error
    try:
        yield process
        process.wait()
    finally:
        _terminate(process)


def _terminate(process: subprocess.Popen[bytes]) -> None:
    """End the command and its plugin's process."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    for pipe in (process.stdin, process.stderr):
        with suppress(OSError):  # unsent data
            pipe.close()  # type: ignore[union-attr]


def _read_lines(process: subprocess.Popen[bytes], progress: BuildProgress, monitor: Monitor) -> Iterator[str]:
    """Yield the command's lines while the context is sent."""
    lines: SimpleQueue[str | BaseException | None] = SimpleQueue()

    def feed() -> None:
        try:
            with cast("IO[bytes]", process.stdin) as pipe:
                for block in (
                    progress.request.context.tar(progress.send_callback()) if progress.request.recipe is None else ()
                ):
                    pipe.write(block)
        except BrokenPipeError:
            pass  # the command has ended; its output says why
        except BaseException as error:  # noqa: BLE001 - it is raised by the thread that waits
            lines.put(error)

    def read() -> None:
        with suppress(OSError, ValueError):  # after a stop, the pipe may be closed while it is read
            for line in cast("IO[bytes]", process.stderr):
                lines.put(line.decode(errors="replace").rstrip("\r\n"))
        lines.put(None)

    for work in (feed, read):
        threading.Thread(target=work, name=f"buildkit-{work.__name__}", daemon=True).start()
    while (line := wait_for_line(lines, monitor)) is not None:
        yield line


class _PlainLog:
    """The command's plain log: `#7 [builder 2/4] RUN …`, then `#7 0.15 what it printed`, `#7 DONE 0.2s`."""

    def __init__(self, progress: BuildProgress) -> None:
        self.progress = progress
        self._instructions: dict[str, BuildInstruction] = {}
        self._stages: dict[str, int] = {}
        self._begun = 0
        self._failed = BuildInstruction()
        self._last = BuildInstruction()
        """Lines of no instruction; the last is the reason of a failure."""

    def add(self, line: str) -> None:
        line = strip_ansi(line)
        vertex = _VERTEX.match(line)
        if vertex is None:
            self._last.say(line)
            return
        number, output = vertex.groups()
        known = self._instructions.get(number)
        if known is None:
            self._instructions[number] = BuildInstruction(output)
            self._begin(output)
        elif output.startswith("ERROR"):
            self._failed = known
        elif printed := _OUTPUT.match(output):
            known.say(printed[1])
            self.progress.read(printed[1])
        elif output != known.name and not _CHATTER.match(output):
            known.say(output)

    def _begin(self, name: str) -> None:
        if position := _POSITION.match(name):
            self._begun += 1
            self._stages[position["stage"]] = int(position["count"])
            self.progress.begin(position["instruction"], self._begun, sum(self._stages.values()))

    def failure(self) -> Exception:
        reason = self._last.lines[-1] if self._last.lines else "it ended without a message"
        return self.progress.failure(self._failed, _PREAMBLE.sub("", reason))
