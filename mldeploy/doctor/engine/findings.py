"""Findings from an engine's facts."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from docker.constants import DEFAULT_DOCKER_API_VERSION

from mldeploy.doctor.context import DoctorContext
from mldeploy.doctor.engine.connection import check_credentials, report_unreachable, selection_reason
from mldeploy.doctor.engine.facts import EngineKind, Facts, Version, check_builder, check_platform
from mldeploy.image.engine import Engine
from mldeploy.image.errors import EngineError, engine_errors
from mldeploy.project.detect.file_checks import format_size
from mldeploy.providers.capabilities import DoctorCheck, Finding, error, ok, warning

OLDEST_API: Version = (1, 41)
"""The oldest tested version: Docker 20.10, Podman 4.3."""
NEWEST_API: Version = tuple(map(int, DEFAULT_DOCKER_API_VERSION.split(".")))
"""The newest version that the SDK supports."""

LOW_DISK = 5 * 10**9
"""In bytes. A build stores the dependencies twice: during installation, and as a layer."""
FULL_DISK = 10**9


def report_identity(facts: Facts, why: str) -> Iterator[Finding]:
    """Report the engine, its endpoint, and its compatibility."""
    mode = " (rootless)" if facts.rootless else ""
    name = f"{facts.kind} {facts.version}{mode}, API {_format_version(facts.api)}"
    yield _version(facts, name)
    yield ok("socket", f"{facts.endpoint}, {why}")
    if facts.system not in ("", "linux"):
        todo = "Switch it to Linux containers (in Docker Desktop: in the icon's menu)."
        yield error("system", f"it runs {facts.system} containers, but mldeploy builds images for Linux", todo)
    if facts.unlimited:
        todo = (
            "A rootless engine needs cgroup v2 with delegation: https://docs.docker.com/engine/security/rootless/tips/."
        )
        what = f"it cannot limit {' and '.join(facts.unlimited)}: an app may use all of the machine's"
        yield warning("limits", what, todo if facts.rootless else "")


def _version(facts: Facts, name: str) -> Finding:
    if facts.api and facts.api < OLDEST_API:
        what = f"{name}: older than {_format_version(OLDEST_API)}, with which mldeploy is tested"
        return warning("engine", what, "Update the engine.")
    if facts.oldest_api > NEWEST_API:
        what = f"{name}: its oldest supported API, {_format_version(facts.oldest_api)}, is too new for this mldeploy"
        return warning("engine", what, "Update mldeploy and the Python package docker.")
    if facts.kind is EngineKind.PODMAN:
        what = f"{name}: compatible with Docker, but mldeploy is tested with Docker Engine"
        return warning("engine", what, "If something fails, try Docker, OrbStack or colima.")
    return ok("engine", name)


def report_machine(facts: Facts) -> Finding:
    """Report the CPUs, memory and platform for builds and containers."""
    return ok("machine", f"{facts.cpus} CPUs, {facts.memory / 2**30:.1f} GiB of memory, {facts.platform}")


def check_disk(facts: Facts) -> Finding | None:
    """Check the free disk space for images; None if it is not visible from this machine."""
    free = {store: free_bytes for store in facts.stores if facts.is_here and (free_bytes := _free(store)) is not None}
    if not free:
        return None
    store = min(free, key=lambda each: free[each])
    what = f"{format_size(free[store])} free in {store}"
    todo = "Free some: `docker system df` shows the usage, `mldeploy images --prune 2` removes old images."
    if free[store] < FULL_DISK:
        return error("disk", f"{what}: a build would fill it", todo)
    return warning("disk", f"{what}: a build may fill it", todo) if free[store] < LOW_DISK else ok("disk", what)


def _free(folder: Path) -> int | None:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def _format_version(version: Version) -> str:
    return ".".join(map(str, version)) or "unknown"


_DISK_SETTINGS = {
    EngineKind.DESKTOP: "Settings, Resources",
    EngineKind.ORBSTACK: "it grows with your disk",
    EngineKind.COLIMA: "`colima start --disk`",
    EngineKind.RANCHER: "its preferences",
}


def report_usage(engine: Engine, facts: Facts) -> Finding:
    """Report the disk usage of images and build cache. Takes seconds if there are many."""
    with engine_errors(facts.endpoint):
        usage_data = engine.client.df()
    images = int(usage_data.get("LayersSize") or 0)
    cache = sum(int(each.get("Size") or 0) for each in usage_data.get("BuildCache") or () if not each.get("Shared"))
    limit = f"; its limit: {_DISK_SETTINGS[facts.kind]}" if facts.kind in _DISK_SETTINGS else ""
    taken = f"images take {format_size(images)}, the build cache {format_size(cache)}"
    return ok("disk", f"{taken}; the free space is not visible from this machine{limit}")


SEARCH_SECONDS = 7.0
"""Includes the search for other engines if the selected one does not answer."""


def engine_checks(context: DoctorContext) -> Sequence[DoctorCheck]:
    """Return the checks. Without an engine, only the first one has findings about it."""
    return (
        DoctorCheck("engine", lambda: _engine(context), SEARCH_SECONDS),
        DoctorCheck("disk", lambda: _disk(context)),
        DoctorCheck("platform", lambda: _platform(context)),
        DoctorCheck("builder", lambda: _builder(context)),
        DoctorCheck("credentials", check_credentials),
    )


def _engine(context: DoctorContext) -> Iterator[Finding]:
    try:
        facts = context.machine.facts
    except EngineError as problem:
        yield report_unreachable(problem)
        return
    yield from report_identity(facts, selection_reason())
    yield report_machine(facts)


def _disk(context: DoctorContext) -> Iterator[Finding]:
    if facts := context.machine.known:
        yield check_disk(facts) or report_usage(context.machine.engine, facts)


def _platform(context: DoctorContext) -> Iterator[Finding]:
    if (facts := context.machine.known) and context.reading.project:
        yield check_platform(facts, context.reading.project.build.platform)


def _builder(context: DoctorContext) -> Iterator[Finding]:
    if facts := context.machine.known:
        project = context.reading.project
        yield check_builder(facts, project.build.builder if project else "auto")
