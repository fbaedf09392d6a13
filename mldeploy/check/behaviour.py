"""How an app behaves when its image is started once with production restrictions."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from docker.errors import DockerException
from requests.exceptions import RequestException

from mldeploy.app.causes import About
from mldeploy.app.client import GoldenRow
from mldeploy.app.container import Container
from mldeploy.app.container_spec import ContainerSpec, is_less_limited
from mldeploy.app.containers import ContainerStartError
from mldeploy.app.diagnosis import build_start_verdict
from mldeploy.app.examination import Examination
from mldeploy.app.listeners import list_sockets
from mldeploy.app.verdict import VerdictError
from mldeploy.check.trial import CheckContainers
from mldeploy.check.verdict import CheckFigures
from mldeploy.config.settings import App, Project
from mldeploy.config.text import size
from mldeploy.core.events import Progress
from mldeploy.core.findings import Finding, error, ok, warning
from mldeploy.core.monitor import Monitor
from mldeploy.image.errors import engine_errors

STOP_SECONDS = 10
"""The stop timeout of `docker stop` and Cloud Run; other platforms wait longer."""
KILLED = 137
TARGET_CPU = 0.25
"""The part of a CPU of this machine that a start gets on a target: what the smallest sizes of the clouds have."""

_LOGGED = (About.START, About.MODEL, About.HEALTH)
"""Failures that the app's log explains."""


@dataclass
class Behaviour:
    """The observed behaviour. failure: why it did not become healthy, or None. answered: the golden row matched."""

    findings: list[Finding] = field(default_factory=list)
    figures: CheckFigures = field(default_factory=CheckFigures)
    failure: VerdictError | None = None
    answered: bool = False


def observe_behaviour(
    trial: CheckContainers, project: Project, golden: GoldenRow | None, monitor: Monitor
) -> Behaviour:
    """Start the app, send requests, measure it and stop it. Raises EngineError, CancelledError."""
    spec = trial.spec()
    seen = Behaviour([*check_limits(spec, trial.desired_spec())])
    with trial.container(spec) as made:
        try:
            began = time.monotonic()
            container = _start_app(trial, project, made)
            _examine(trial, project, None, container, monitor)
        except VerdictError as failure:
            seen.failure = failure
            return seen
        seen.figures = replace(seen.figures, start=time.monotonic() - began)
        _check_health(trial, project, container, seen)
        _check_golden(trial, project, golden, container, seen, monitor)
        if trial.containers.present(made).running:
            seen.findings.append(_check_user(trial, made))
            monitor.progress(Progress("", "stopping it"))
            _check_stop(trial, container, seen)
    return seen


def check_limits(spec: ContainerSpec, required: ContainerSpec) -> Iterator[Finding]:
    """Yield a warning if the engine cannot set all limits, since the results may then be too good."""
    if is_less_limited(spec, required):
        what = "this engine cannot set every limit of [app]: memory, CPUs or processes were not limited"
        yield warning("limits", what, "An engine that runs as root can; so can a rootless one with cgroup v2.")


def failure_finding(failure: VerdictError) -> Finding:
    """Return the finding for an app that failed."""
    return error(failure.about.value, failure.what if failure.about in _LOGGED else failure.cause, failure.todo)


def _start_app(trial: CheckContainers, project: Project, made: str) -> Container:
    try:
        return trial.containers.start(made)
    except ContainerStartError as problem:
        raise build_start_verdict(project, trial.containers.present(made), problem.what) from problem


def _examine(
    trial: CheckContainers, project: Project, golden: GoldenRow | None, container: Container, monitor: Monitor
) -> None:
    Examination(trial.containers, project, golden, container, trial.settle_seconds).run(monitor)


def _check_health(trial: CheckContainers, project: Project, container: Container, seen: Behaviour) -> None:
    app = project.app
    what = f"{app.health} answers after {seen.figures.start:.1f} s, of {project.check.start_timeout:g} s"
    seen.findings.append(ok("health", what))
    sockets = list_sockets(trial.containers, container)
    listeners = [str(each) for each in sockets.listeners if each.reaches(app.port)] if sockets else []
    what = f"listens on {' and '.join(listeners)}" if listeners else f"answers on port {app.port}"
    seen.findings.append(ok("port", what))
    seen.findings += judge_start(trial.containers.usage(container.id).cpu / 1e9, project.check.start_timeout)


def judge_start(cpu: float, limit: float) -> Iterator[Finding]:
    """Yield a warning if the start may take longer on a target than the limit. cpu: seconds of CPU time that it took.

    The time of the clock says less: on this machine several processors may have shared the work, or others had them.
    """
    needed = cpu / TARGET_CPU
    if needed > limit:
        proposed = 60 * math.ceil(needed / 60)
        what = (
            f"the start takes {cpu:.0f} s of a CPU here, so about {needed:.0f} s with a quarter of one; the limit is "
            f"{limit:g} s"
        )
        yield warning("start", what, f"Set `start_timeout = {proposed}` in [check], or give the app a whole CPU there.")


def _check_golden(
    trial: CheckContainers,
    project: Project,
    golden: GoldenRow | None,
    container: Container,
    seen: Behaviour,
    monitor: Monitor,
) -> None:
    """Send the golden row. Measure the memory before and after it."""
    rest = trial.containers.usage(container.id).memory
    after: int | None = None
    out_of_memory = False
    if golden is None:
        todo = "Write a request and its expected answer to a file, and set `golden` in [check] to its path."
        seen.findings.append(warning("golden row", "there is none, so the answers are not checked", todo))
    else:
        try:
            _examine(trial, project, golden, container, monitor)
        except VerdictError as failure:
            out_of_memory = failure.about is About.MEMORY
            seen.findings.append(failure_finding(failure))
        else:
            seen.answered = True
            seen.findings.append(ok("golden row", f"{golden.path} answers as it should"))
            after = trial.containers.usage(container.id).memory
    if rest and not out_of_memory:
        proposed = propose_memory(rest, after, count_workers(project.app)) if after else None
        seen.figures = replace(seen.figures, memory_at_rest=rest, memory_after_golden=after, memory_proposed=proposed)
        seen.findings.append(check_memory(rest, after, project.app))


def _check_user(trial: CheckContainers, made: str) -> Finding:
    """Check the users of the processes; the image's user if the engine cannot list processes."""
    users = set(_list_uids(trial, made))
    if not users:
        with engine_errors(trial.reference):
            user = trial.engine.client.inspect_image(trial.reference)["Config"].get("User") or "0"
        users = {user.partition(":")[0].replace("root", "0")}
    if "0" in users:
        todo = "End the Dockerfile with USER and a number: `USER 10001`."
        return warning("user", "it runs as root", todo)
    return ok("user", f"runs as {' and '.join(sorted(users))}, not as root")


def _list_uids(trial: CheckContainers, made: str) -> Iterator[str]:
    with contextlib.suppress(DockerException, RequestException, KeyError):
        for process in trial.engine.client.top(made, "-eo uid,pid")["Processes"]:
            yield process[0].strip()


def _check_stop(trial: CheckContainers, container: Container, seen: Behaviour) -> None:
    began = time.monotonic()
    with engine_errors(container.name):
        trial.engine.client.stop(container.id, timeout=STOP_SECONDS)
    took = time.monotonic() - began
    ended = trial.containers.present(container.id)
    if ended.exit_status == KILLED and not ended.oom_killed:
        what = f"it does not stop within {STOP_SECONDS} s of SIGTERM, and was killed: it would lose requests"
        todo = "Let its process handle SIGTERM; start the server with `exec`, or with CMD in brackets, not in a shell."
        seen.findings.append(warning("stop", what, todo))
        return
    seen.figures = replace(seen.figures, stop=took)
    seen.findings.append(ok("stop", f"ends {took:.1f} s after SIGTERM"))


MARGIN = 1.5
"""Factor on the measured memory, for concurrent requests, memory that allocators keep, and pages of a preloaded model
that workers stop sharing."""
STEP = 64 << 20
LEAST = 128 << 20
AMPLE = 2.0
"""A limit of this many times the proposal is reported as more than needed."""


def propose_memory(at_rest: int, after_golden: int, workers: int) -> int:
    """Return the bytes to propose for `[app] memory`. One worker answered the request; the others will grow as much."""
    grown = max(0, after_golden - at_rest) * workers
    return max(LEAST, math.ceil((at_rest + grown) * MARGIN / STEP) * STEP)


def count_workers(app: App) -> int:
    """Return the number of workers of our own server; an estimate for other servers."""
    return app.workers or math.ceil(app.cpus)


def check_memory(at_rest: int, after_golden: int | None, app: App) -> Finding:
    """Return the finding about memory. after_golden: None without a golden row."""
    limit = size(app.memory)
    if after_golden is None:
        return ok("memory", f"{size(at_rest)} at rest, of {limit}; no request was sent")
    measured = f"{size(at_rest)} at rest, {size(after_golden)} after the golden row, of {limit}"
    proposed = propose_memory(at_rest, after_golden, count_workers(app))
    setting = f'`memory = "{proposed >> 20}m"` in [app]'
    if proposed > app.memory:
        return warning("memory", f"{measured}: under load it may be killed", f"Set {setting}.")
    if app.memory >= AMPLE * proposed:
        return ok("memory", f"{measured}; {setting} would do")
    return ok("memory", measured)
