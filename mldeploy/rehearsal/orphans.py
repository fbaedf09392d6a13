"""Removes containers of killed stand-ins.

A label on each container names the stand-in's process. Containers of running processes, and of processes on another
machine or in another process namespace, are never removed.
"""

from __future__ import annotations

import functools
import os
from contextlib import suppress
from pathlib import Path

import psutil
from docker.errors import DockerException
from requests.exceptions import RequestException

from mldeploy.image.engine import Engine
from mldeploy.rehearsal.record import LABEL, Process

OWNER = f"{LABEL}.owner"
"""The label with the process that started a container: `SYSTEM/PID/STARTED`."""
PATIENCE_SECONDS = 600.0
"""How long the engine may take for an answer. A busy one takes minutes for what is usually done at once."""
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/pid")


@functools.cache
def owner_label() -> str:
    """Return the value of OWNER for containers of this process."""
    own = Process.of(os.getpid())
    return f"{_system()}/{own.pid}/{own.started}"


def is_orphaned(owner: str) -> bool:
    """Whether the owner belongs to this boot and process namespace, and no longer runs."""
    system, _, process = owner.partition("/")
    pid, _, started = process.partition("/")
    if system != _system():
        return False
    try:
        return Process(int(pid), float(started)).find() is None
    except ValueError:
        return False


def remove_orphans(engine: Engine) -> None:
    """Remove containers of killed stand-ins. May be repeated, also concurrently."""
    client = engine.client
    with suppress(DockerException, RequestException):
        for container in client.containers(all=True, filters={"label": OWNER}):
            if is_orphaned(str(container["Labels"].get(OWNER, ""))):
                with suppress(DockerException, RequestException):  # already removed
                    client.remove_container(container["Id"], force=True, v=True)


@functools.cache
def _system() -> str:
    """Return an id of this boot and this process namespace."""
    boot = _BOOT.read_text().strip() if _BOOT.exists() else str(int(psutil.boot_time()))
    namespace = _NAMESPACE.readlink().name if _NAMESPACE.is_symlink() else ""
    return f"{boot}:{namespace}"
