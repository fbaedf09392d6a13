"""A version of the app that `mldeploy diff` asks: one that runs on the target, or an image that is run here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from mldeploy.app.examination import Examination
from mldeploy.check.trial import CheckContainers, hold_check_lock
from mldeploy.cli.deployment import AppDeployment
from mldeploy.cli.rollout.traffic import open_traffic
from mldeploy.config.settings import Project
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.image.engine import Engine
from mldeploy.image.image_info import find_image
from mldeploy.image.pull import pull_image
from mldeploy.providers.base import Release
from mldeploy.providers.capabilities import CanForward, Registry
from mldeploy.providers.errors import AbsentError
from mldeploy.providers.traffic import CanSplitTraffic

FOLDER = "working folder"


@dataclass(frozen=True)
class ComparedVersion:
    """label: how it is shown. image: run here if it does not run on the target. release: None for the folder."""

    label: str
    image: str
    release: Release | None = None


def find_releases(deployment: AppDeployment, revisions: Sequence[str]) -> list[ComparedVersion]:
    """Return the named releases; the serving one if none is named. Raises AbsentError if there is no such release."""
    known = deployment.service.releases()
    serving = [each for each in known if each.state == "serving"]
    if not revisions and not serving:
        what = f"nothing serves on {deployment.target}, so there is nothing to compare the working folder with"
        raise AbsentError(deployment.app, what, "Deploy it first, or name two revisions of `mldeploy history`.")
    chosen = []
    for revision in revisions:
        release = next((each for each in known if each.revision == revision), None)
        if release is None:
            listed = ", ".join(each.revision for each in known) or "none"
            raise AbsentError(deployment.app, f"there is no revision {revision}", f"There are: {listed}.")
        chosen.append(release)
    return [ComparedVersion(f"revision {each.revision}", each.image, each) for each in chosen or serving[:1]]


@contextmanager
def reach_versions(
    deployment: AppDeployment, engine: Engine, versions: Sequence[ComparedVersion], monitor: Monitor
) -> Iterator[tuple[str, ...]]:
    """Yield a URL of each version while the context is open. What does not run on the target is run here meanwhile.

    Raises VerdictError for an image that does not start here, BuildError for one that cannot be pulled, EngineError.
    """
    with ExitStack() as ways:
        urls = [_enter_running(ways, deployment, each) for each in versions]
        if None in urls:
            ways.enter_context(hold_check_lock(engine, deployment.app, monitor))
        yield tuple(
            url or ways.enter_context(_run_here(deployment, engine, each, monitor))
            for url, each in zip(urls, versions, strict=True)
        )


def _enter_running(ways: ExitStack, deployment: AppDeployment, version: ComparedVersion) -> str | None:
    """Return where a release answers on the target; None if it does not run."""
    release = version.release
    if release is None:
        return None
    if isinstance(deployment.provider, CanSplitTraffic):
        try:
            return ways.enter_context(open_traffic(deployment).reach(release.revision))
        except AbsentError:
            return None
    if release.state != "serving":
        return None
    service = deployment.service
    return ways.enter_context(service.reach()) if isinstance(service, CanForward) else service.url()


@contextmanager
def _run_here(deployment: AppDeployment, engine: Engine, version: ComparedVersion, monitor: Monitor) -> Iterator[str]:
    """Run an image with production restrictions and the current environment. It is removed at the end."""
    project = deployment.project
    if find_image(engine, version.image) is None:
        access = deployment.login().registry if isinstance(deployment.provider, Registry) else None
        pull_image(engine, version.image, project.build.platform, monitor, "name another revision", access)
    monitor.progress(Progress("", f"starting {version.label} on this machine"))
    with run_image(engine, project, version.image, monitor) as url:
        yield url


@contextmanager
def run_image(engine: Engine, project: Project, reference: str, monitor: Monitor) -> Iterator[str]:
    """Yield the URL of a temporary container of the app once it is healthy. Raises VerdictError, EngineError."""
    trial = CheckContainers.of(engine, project.app, reference)
    with trial.container(trial.spec()) as made:
        container = trial.containers.start(made)
        Examination(trial.containers, project, None, container).run(monitor)
        yield container.url
