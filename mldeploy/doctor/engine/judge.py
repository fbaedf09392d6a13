"""What an engine's facts mean for mldeploy. Pure, but for a look at the disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from docker.constants import DEFAULT_DOCKER_API_VERSION

from mldeploy.doctor.engine.facts import Facts, Kind, Version
from mldeploy.project.detect.bulk import megabytes
from mldeploy.providers.checks import Finding, error, ok, warning

OLDEST_API: Version = (1, 41)
"""Docker 20.10 and every Podman since 4.3: the oldest that mldeploy is tried with."""
NEWEST_API: Version = tuple(map(int, DEFAULT_DOCKER_API_VERSION.split(".")))
"""The newest that the SDK was written for; an engine must speak this one or an older one, too."""

LITTLE_DISK = 5 * 10**9
"""Bytes. A build needs room for the dependencies twice: while they are installed, and as a layer."""
NO_DISK = 10**9


def identity(facts: Facts, why: str) -> Iterator[Finding]:
    """Which engine it is, where, and whether we understand each other."""
    mode = " (rootless)" if facts.rootless else ""
    name = f"{facts.kind} {facts.version}{mode}, API {_shown(facts.api)}"
    yield _version(facts, name)
    yield ok("socket", f"{facts.endpoint}, {why}")
    if facts.system not in ("", "linux"):
        todo = "Switch it to Linux containers (in Docker Desktop: the menu of its icon)."
        yield error("system", f"it runs containers for {facts.system}, and images are built for Linux", todo)
    if facts.unlimited:
        todo = (
            "A rootless engine needs cgroup v2 with delegation: https://docs.docker.com/engine/security/rootless/tips/."
        )
        what = f"it cannot limit {' and '.join(facts.unlimited)}: an app may use all that the machine has"
        yield warning("limits", what, todo if facts.rootless else "")


def _version(facts: Facts, name: str) -> Finding:
    if facts.api and facts.api < OLDEST_API:
        what = f"{name}: older than {_shown(OLDEST_API)}, with which mldeploy is tested"
        return warning("engine", what, "Update the engine.")
    if facts.oldest_api > NEWEST_API:
        what = f"{name}: the oldest API that it speaks, {_shown(facts.oldest_api)}, is newer than what mldeploy knows"
        return warning("engine", what, "Update mldeploy, and the Python package docker beside it.")
    if facts.kind is Kind.PODMAN:
        what = f"{name}: it answers like Docker, but mldeploy is tested with Docker's own engine"
        return warning("engine", what, "If something goes wrong, try it with Docker, OrbStack or colima.")
    return ok("engine", name)


def machine(facts: Facts) -> Finding:
    """What it can give to builds and containers."""
    return ok("machine", f"{facts.cpus} CPUs, {facts.memory / 2**30:.1f} GiB of memory, {facts.platform}")


def disk(facts: Facts) -> Finding | None:
    """The free space where images go; None if that cannot be seen from here."""
    free = {store: found for store in facts.stores if facts.is_here and (found := _free(store)) is not None}
    if not free:
        return None
    store = min(free, key=lambda each: free[each])
    what = f"{megabytes(free[store])} free in {store}"
    todo = "Free some: `docker system df` says what takes the space, `mldeploy images --prune 2` removes old images."
    if free[store] < NO_DISK:
        return error("disk", f"{what}: a build would fill it", todo)
    return warning("disk", f"{what}: a build may fill it", todo) if free[store] < LITTLE_DISK else ok("disk", what)


def _free(folder: Path) -> int | None:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def _shown(version: Version) -> str:
    return ".".join(map(str, version)) or "unknown"
