"""A rehearsal's process: it is started, found again, replaced when it has died, and ended without a trace."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from docker.errors import APIError, NotFound

from mldeploy.core.errors import LockedError
from mldeploy.core.lock import Lock
from mldeploy.image.engine import Engine
from mldeploy.image.errors import EngineError
from mldeploy.rehearsal.errors import RehearsalError
from mldeploy.rehearsal.place import LABEL, Place, Remains

LOG = "rehearsal.log"
READY = "ready"
"""The line by which the process says that its place is written and that it answers.

One that cannot play says why instead: a JSON list of what is wrong and what to do. One that is not tied has a parent
that ends at once, so that nobody has to wait for its end.
"""
_PAUSE = 0.1
_PATIENCE = 20.0
"""Seconds that a process has to end by itself."""


def launch(
    folder: Path, program: str, options: Sequence[str] = (), *, tied: bool
) -> tuple[Place, subprocess.Popen[str]]:
    """Start the Python module `program` for this folder and wait until it answers.

    tied: it ends with us, whatever becomes of us; otherwise it outlives us. Raises RehearsalError with the process's
    own reason if it cannot start.
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
    assert process.stdout is not None  # noqa: S101 - it was asked for
    with process.stdout as answer:
        said = answer.readline()
    place = Place.read(folder)
    if said.strip() == READY and place is not None:
        return place, process
    with process:
        process.kill()
    if not said:
        raise RehearsalError("rehearsal", "it does not start", f"Its log may say why: {folder / LOG}")
    shutil.rmtree(folder)
    raise RehearsalError("rehearsal", *json.loads(said))


def ensure(folder: Path, program: str, options: Sequence[str] = ()) -> Place:
    """The rehearsal of this folder; it is started if there is none, or if the one that there was has died."""
    place = Place.read(folder)
    if place is not None and place.is_running:
        return place
    with _alone(folder):
        place = Place.read(folder)
        if place is None or not place.is_running:  # otherwise somebody else was faster
            end(folder)
            place, parent = launch(folder, program, options, tied=False)
            parent.wait()
        return place


def stop(folder: Path) -> bool:
    """What `end` does, while nobody else starts one."""
    with _alone(folder):
        return end(folder)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until nobody else starts or ends this rehearsal, and keep others from it."""
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
    """End the rehearsal of this folder and remove all that it has left. True if there was one. May be repeated."""
    if not folder.exists():
        return False
    remains = Remains.read(folder)
    if remains is not None:
        for process in remains.processes:
            _end(process.find())
        with suppress(EngineError):  # without an engine there are no containers either
            sweep(Engine.connect(), remains)
    with suppress(FileNotFoundError):
        shutil.rmtree(folder)
    return True


def sweep(engine: Engine, remains: Remains) -> None:
    """Remove the rehearsal's containers, and what of its registries' images is on the engine."""
    client, network = engine.client, remains.registry.rpartition(".")[0]  # 127.A.B: nobody else has an address in it
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
            process.wait(_PATIENCE)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(_PATIENCE)
