"""No engine answers: why not, and what exactly to do on this machine."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from mldeploy.doctor.engine.choice import answering, reason
from mldeploy.image.errors import EngineError, error_number
from mldeploy.providers.checks import Finding, error

SUBJECT = "engine"


def unreachable(problem: EngineError) -> Finding:
    """The error line for what `Engine.connect` raised. Knocks at the other engines that may be there."""
    why = f", {reason()}" if "://" in problem.where else ""
    what = f"{problem.where}{why}: {problem.what}"
    number = error_number(problem)
    todo = problem.todo
    if number in (errno.EACCES, errno.EPERM):
        todo = _permission(problem.where.removeprefix("unix://")) or todo
    elif number in (errno.ENOENT, errno.ECONNREFUSED):
        todo = "Start it, or unset DOCKER_HOST." if os.environ.get("DOCKER_HOST") else _start() or todo
    if other := answering(other_than=problem.where):
        todo = f"{todo}\nAnother engine answers; to use it: `export DOCKER_HOST={other}`.".lstrip()
    return error(SUBJECT, what, todo)


def _permission(path: str) -> str:
    """What to do for a user who is a member of the socket's group, but not yet in this session."""
    try:
        found = Path(path).stat()
        group, user = grp.getgrgid(found.st_gid), pwd.getpwuid(os.getuid()).pw_name
    except (OSError, KeyError):
        return ""
    if not found.st_mode & stat.S_IWGRP or user not in group.gr_mem or found.st_gid in os.getgroups():
        return ""
    name = group.gr_name
    return f"You belong to the group {name}, but not yet in this session: log in again, or `newgrp {name}`."


def _start() -> str:
    """How to start what is installed here; "" if nothing is."""
    ways = list(_ways())
    return f"Start it: {', or '.join(ways)}." if ways else ""


def _ways() -> Iterator[str]:
    if sys.platform == "darwin":
        for name in ("Docker", "OrbStack", "Rancher Desktop"):
            if Path(f"/Applications/{name}.app").exists():
                yield f"`open -a '{name}'`"
    if shutil.which("colima"):
        yield "`colima start`"
    if shutil.which("dockerd"):
        yield "`sudo systemctl start docker`" if Path("/run/systemd/system").is_dir() else "`sudo dockerd`"
    if shutil.which("podman"):
        yield "`podman machine start`" if sys.platform == "darwin" else "`systemctl --user start podman.socket`"
