"""Starts, reuses, restarts and stops a rehearsal's background process."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psutil
from docker.errors import APIError, NotFound

from mldeploy.core.errors import LockedError
from mldeploy.core.lock import Lock
from mldeploy.image.engine import Engine
from mldeploy.image.errors import EngineError
from mldeploy.rehearsal.orphans import PATIENCE_SECONDS, remove_orphans
from mldeploy.rehearsal.record import LABEL, MissingPackageError, RehearsalError, RehearsalRecord, Remains

LOG = "rehearsal.log"
READY = "ready"
"""The line that the process prints once its record is written and it answers.

If it cannot start, it prints a JSON list of two strings instead: the error and the remedy. A process that is not tied
forks, and its parent exits at once.
"""
MISSING_PACKAGE = re.compile(r"ModuleNotFoundError: No module named '([^']+)'")
_PAUSE = 0.1
_TERMINATE_SECONDS = 20.0
"""Time between SIGTERM and SIGKILL."""
_KILL_SECONDS = 600.0
"""Time after SIGKILL. A machine that swaps may need minutes."""


def launch(
    folder: Path, program: str, options: Sequence[str] = (), *, tied: bool
) -> tuple[RehearsalRecord, subprocess.Popen[str]]:
    """Start the Python module `program` for this folder and wait until it answers.

    tied: the process ends with this one, also if this one is killed; otherwise it keeps running. Raises RehearsalError
    with the process's own message if it cannot start.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / LOG).open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", program, str(folder), *options, *(["--tied"] if tied else [])],
            stdin=subprocess.PIPE if tied else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
    assert process.stdout is not None  # noqa: S101 - PIPE
    with process.stdout as output:
        line = output.readline()
    record = RehearsalRecord.read(folder)
    if line.strip() == READY and record is not None:
        return record, process
    with process:
        process.kill()
    if not line:
        _refuse_missing_package(folder / LOG)
        raise RehearsalError("rehearsal", "the simulator does not start", f"See its log: {folder / LOG}")
    shutil.rmtree(folder)
    raise RehearsalError("rehearsal", *json.loads(line))


def _refuse_missing_package(log: Path) -> None:
    """Raises MissingPackageError if the process ended for want of a package: the last line of its log says so."""
    lines = log.read_text(encoding="utf-8", errors="replace").rstrip().rpartition("\n")
    if match := MISSING_PACKAGE.match(lines[2]):
        raise MissingPackageError(match[1])


def ensure(folder: Path, program: str, options: Sequence[str] = ()) -> RehearsalRecord:
    """Return the rehearsal of this folder. Start it if it does not run. May be repeated."""
    record = RehearsalRecord.read(folder)
    if record is not None and record.is_running:
        return record
    with _exclusive(folder):
        record = RehearsalRecord.read(folder)
        if record is None or not record.is_running:  # otherwise another process has started it
            end(folder)
            record, parent = launch(folder, program, options, tied=False)
            parent.wait()
        return record


def stop(folder: Path) -> bool:
    """Stop the rehearsal under the lock, see `end`. May be repeated."""
    with _exclusive(folder):
        return end(folder)


@contextmanager
def _exclusive(folder: Path) -> Iterator[None]:
    """Hold the lock for starting and stopping this rehearsal. Waits for it."""
    lock = _lock(folder.with_suffix(".lock"))
    try:
        yield
    finally:
        lock.release(remove=True)


def _lock(path: Path) -> Lock:
    while True:
        with suppress(LockedError):
            return Lock(path, "mldeploy rehearse")
        time.sleep(_PAUSE)


def end(folder: Path) -> bool:
    """Stop the rehearsal of this folder and remove its leftovers. Returns whether there was one. May be repeated."""
    started = _end_programs(folder)
    if not folder.exists():
        return started
    remains = Remains.read(folder)
    if remains is not None:
        for process in remains.processes:
            _end(process.find())
    with suppress(EngineError):  # without an engine there are no containers
        engine = Engine.connect(PATIENCE_SECONDS)
        with closing(engine.client):
            if remains is not None:
                remove_leftovers(engine, remains)
            remove_orphans(engine)  # of one that was killed before it had a record
    with suppress(FileNotFoundError):
        shutil.rmtree(folder)
    return True


def _end_programs(folder: Path) -> bool:
    """Stop the stand-ins of this folder that have no record yet; True if there were any.

    A stand-in is in no record while it starts, and goes on if the command that started it is killed. But it has the
    folder among its arguments from its first moment on.
    """
    any_running = False
    while running := _find_programs(folder):  # again, since one may just have forked
        any_running = True
        for process in running:
            _end(process)
    return any_running


def _find_programs(folder: Path) -> list[psutil.Process]:
    return [
        each
        for each in psutil.process_iter(["cmdline", "status"])
        if _is_program(each.info["cmdline"] or (), folder) and each.info["status"] != psutil.STATUS_ZOMBIE
    ]


def _is_program(command: Sequence[str], folder: Path) -> bool:
    """Whether a command line is the one of `launch` for this folder, or that of its registry.

    The registry of a stand-in that was killed ends by itself, but perhaps too late: it may still write to the folder.
    """
    words = list(command)
    if words[-2:-1] == ["serve"] and Path(words[-1]).is_relative_to(folder):
        return True
    at = words.index("-m") if "-m" in words else len(words)
    return words[at + 2 : at + 3] == [str(folder)]


def remove_leftovers(engine: Engine, remains: Remains) -> None:
    """Remove the rehearsal's containers, and the images of its registries, from the engine."""
    client, network = engine.client, remains.registry.rpartition(".")[0]  # 127.A.B: this rehearsal's address block
    for container in client.containers(all=True, filters={"label": f"{LABEL}={remains.name}"}):
        with suppress(NotFound, APIError):
            client.remove_container(container["Id"], force=True, v=True)
    for image in client.images():
        names = (*(image["RepoTags"] or ()), *(image["RepoDigests"] or ()))
        for name in names:
            if name.startswith(f"{network}."):
                with suppress(NotFound, APIError):
                    client.remove_image(name, noprune=True)


def _end(process: psutil.Process | None) -> None:
    if process is None:
        return
    with suppress(psutil.NoSuchProcess):
        process.terminate()
        try:
            process.wait(_TERMINATE_SECONDS)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(_KILL_SECONDS)
