"""How an app behaves when its image is started once, behind the walls that it will have."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from docker.errors import DockerException
from requests.exceptions import RequestException

from mldeploy.config.settings import Project
from mldeploy.core.events import Progress
from mldeploy.core.findings import Finding, error, ok, warning
from mldeploy.core.monitor import Monitor
from mldeploy.image.check import memory
from mldeploy.image.check.trial import Trial
from mldeploy.image.check.verdict import Figures
from mldeploy.image.client import GoldenRow
from mldeploy.image.errors import engine_errors
from mldeploy.image.running.causes import About
from mldeploy.image.running.container import Container
from mldeploy.image.running.containers import StartError
from mldeploy.image.running.diagnose import refused_start
from mldeploy.image.running.errors import VerdictError
from mldeploy.image.running.examine import Examination
from mldeploy.image.running.listeners import sockets
from mldeploy.image.running.spec import ContainerSpec, is_less_limited

STOP_SECONDS = 10
"""What `docker stop` and Cloud Run wait before they kill; the other platforms wait longer."""
KILLED = 137

_LOGGED = (About.START, About.MODEL, About.HEALTH)
"""What the app's own last lines say more of."""


@dataclass
class Behaviour:
    """What was seen. failure: why it never became healthy, if it did not. answered: the golden row held."""

    findings: list[Finding] = field(default_factory=list)
    figures: Figures = field(default_factory=Figures)
    failure: VerdictError | None = None
    answered: bool = False


def observe(trial: Trial, project: Project, golden: GoldenRow | None, monitor: Monitor) -> Behaviour:
    """Start the app, ask it, measure it, and tell it to stop. Raises EngineError, CancelledError."""
    spec = trial.spec()
    seen = Behaviour([*unlimited(spec, trial.wanted())])
    with trial.container(spec) as made:
        try:
            began = time.monotonic()
            container = _started(trial, project, made)
            _examine(trial, project, None, container, monitor)
        except VerdictError as failure:
            seen.failure = failure
            return seen
        seen.figures = replace(seen.figures, start=time.monotonic() - began)
        _serves(trial, project, container, seen)
        _answers(trial, project, golden, container, seen, monitor)
        if trial.containers.present(made).running:
            seen.findings.append(_user(trial, made))
            monitor.progress(Progress("", "telling it to stop"))
            _stops(trial, container, seen)
    return seen


def unlimited(spec: ContainerSpec, wanted: ContainerSpec) -> Iterator[Finding]:
    """A line about the limits that an engine could not set: what was seen without them may be too good."""
    if is_less_limited(spec, wanted):
        what = "this engine cannot set every limit of [app]: memory, CPUs or processes were not limited"
        yield warning("limits", what, "An engine that runs as root can; so can a rootless one with cgroup v2.")


def failed(failure: VerdictError) -> Finding:
    """The line that says why an app was given up."""
    return error(failure.about.value, failure.what if failure.about in _LOGGED else failure.cause, failure.todo)


def _started(trial: Trial, project: Project, made: str) -> Container:
    try:
        return trial.containers.start(made)
    except StartError as problem:
        raise refused_start(project, trial.containers.present(made), problem.what) from problem


def _examine(trial: Trial, project: Project, golden: GoldenRow | None, container: Container, monitor: Monitor) -> None:
    Examination(trial.containers, project, golden, container).run(monitor)


def _serves(trial: Trial, project: Project, container: Container, seen: Behaviour) -> None:
    app = project.app
    what = f"{app.health} answers after {seen.figures.start:.1f} s, of {project.check.start_timeout:g} s"
    seen.findings.append(ok("health", what))
    found = sockets(trial.containers, container)
    listeners = [str(each) for each in found.listeners if each.reaches(app.port)] if found else []
    what = f"listens on {' and '.join(listeners)}" if listeners else f"answers on port {app.port}"
    seen.findings.append(ok("port", what))


def _answers(
    trial: Trial, project: Project, golden: GoldenRow | None, container: Container, seen: Behaviour, monitor: Monitor
) -> None:
    """Ask the golden row, and measure the memory before and after it."""
    rest = trial.containers.usage(container.id).memory
    after: int | None = None
    out_of_memory = False
    if golden is None:
        todo = "Write down a request whose answer you know, and name its file as `golden` in [check]."
        seen.findings.append(warning("golden row", "there is none: whether it answers rightly is not known", todo))
    else:
        try:
            _examine(trial, project, golden, container, monitor)
        except VerdictError as failure:
            out_of_memory = failure.about is About.MEMORY
            seen.findings.append(failed(failure))
        else:
            seen.answered = True
            seen.findings.append(ok("golden row", f"{golden.path} answers as it should"))
            after = trial.containers.usage(container.id).memory
    if rest and not out_of_memory:
        proposed = memory.proposal(rest, after, memory.workers_of(project.app)) if after else None
        seen.figures = replace(seen.figures, memory_at_rest=rest, memory_after_golden=after, memory_proposed=proposed)
        seen.findings.append(memory.judged(rest, after, project.app))


def _user(trial: Trial, made: str) -> Finding:
    """Whose processes they are, as the kernel says; as the image says where the engine cannot tell."""
    users = set(_uids(trial, made))
    if not users:
        with engine_errors(trial.reference):
            said = trial.engine.client.inspect_image(trial.reference)["Config"].get("User") or "0"
        users = {said.partition(":")[0].replace("root", "0")}
    if "0" in users:
        todo = "End the Dockerfile with USER and a number: `USER 10001`."
        return warning("user", "it runs as root", todo)
    return ok("user", f"runs as {' and '.join(sorted(users))}, not as root")


def _uids(trial: Trial, made: str) -> Iterator[str]:
    with contextlib.suppress(DockerException, RequestException, KeyError):
        for process in trial.engine.client.top(made, "-eo uid,pid")["Processes"]:
            yield process[0].strip()


def _stops(trial: Trial, container: Container, seen: Behaviour) -> None:
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
