"""The check of an image: start it, inspect its Python and search its files, in parallel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PurePosixPath

from mldeploy.app.causes import About
from mldeploy.app.client import GoldenRow
from mldeploy.app.examination import SETTLE_SECONDS
from mldeploy.check import contents, libraries, secrecy
from mldeploy.check.behaviour import Behaviour, failure_finding, observe_behaviour
from mldeploy.check.contents import Layers
from mldeploy.check.inspection import ImageInspection, inspect_image
from mldeploy.check.served_routes import find_corrections, list_served_routes
from mldeploy.check.trial import CheckContainers, remove_leftovers
from mldeploy.check.verdict import CheckVerdict
from mldeploy.config.access_keys import FIRST, AccessKey, with_keys
from mldeploy.config.settings import Project
from mldeploy.core.events import Progress
from mldeploy.core.findings import Finding, Level, error, warning
from mldeploy.core.monitor import Monitor
from mldeploy.image.cloud import EngineCloud
from mldeploy.image.engine import Engine
from mldeploy.image.errors import engine_errors
from mldeploy.image.types import BaseDigest, Image
from mldeploy.project.detect.models.formats import ModelContents

APP_FOLDER = "/app"
"""The app's folder in images of our own recipe."""
MODELS = 20
"""The number of models to load. A folder with more is an archive."""


@dataclass(frozen=True)
class _Inside:
    """The contents of an image. missing: models of the project that it lacks."""

    inspection: ImageInspection
    models: Mapping[str, ModelContents | None]
    missing: tuple[str, ...]
    secrets: tuple[Finding, ...]


def check(
    engine: Engine,
    project: Project,
    image: Image,
    base: BaseDigest,
    monitor: Monitor,
    withheld: Sequence[str] = (),
    settle_seconds: float = SETTLE_SECONDS,
) -> CheckVerdict:
    """Check an image. Removes leftovers of an earlier check that was killed.

    withheld: variables that the app gets on its target only. An app that does not start without them is not wrong.
    settle_seconds: as of an Examination.

    Raises ProjectError if the golden row cannot be read, EngineError, CancelledError. Defects of the image
    are in the verdict. Blocks for a few times `check.start_timeout` at most. May be repeated.
    """
    project = with_keys(project, [AccessKey.make(FIRST)])  # of its own: the result is the same for every other one
    golden = GoldenRow.load(project.check.golden, project.app) if project.check.golden else None
    remove_leftovers(engine, project.app.name)
    trial = CheckContainers.of(engine, project.app, image.reference, settle_seconds)
    monitor.progress(Progress("", "starting it with production restrictions"))
    with ThreadPoolExecutor(1, thread_name_prefix="check") as pool:
        looking = pool.submit(look_inside, trial, project, image, base, monitor)
        behaviour = _behaviour(trial, project, golden, monitor)
        inside = looking.result()
    behaviour = _excuse_other_platform(behaviour, inside, trial, image)
    behaviour = _excuse_withheld_variables(behaviour, withheld)
    of_libraries = list(_of_libraries(project, inside, answered=behaviour.answered))
    of_routes = _of_routes(trial, project, behaviour, monitor)
    findings = (*of_libraries, *_of_start(behaviour, of_libraries), *of_routes, *behaviour.findings, *inside.secrets)
    return CheckVerdict(findings, behaviour.figures, inside.inspection)


def look_inside(trial: CheckContainers, project: Project, image: Image, base: BaseDigest, monitor: Monitor) -> _Inside:
    """Inspect the image's Python and search its files. Raises EngineError, CancelledError."""
    if project.build.dockerfile:
        with engine_errors(image.reference):
            top = trial.engine.client.inspect_image(image.digest)["Config"].get("WorkingDir") or "/"
        layers = contents.read_layers(trial, image.digest, base, monitor)
    else:
        top = APP_FOLDER
        layers = contents.read_folder(trial, top, monitor)
    models, missing = _models(project, layers, top.strip("/"))
    tried = [f"/{path}" for path, each in models.items() if each is None or each.format == libraries.PICKLE]
    inspection = inspect_image(trial, tried, monitor, project.check.start_timeout)
    return _Inside(inspection, models, missing, tuple(secrecy.check_secrets(trial, image.digest, layers)))


def _models(project: Project, layers: Layers, top: str) -> tuple[Mapping[str, ModelContents | None], tuple[str, ...]]:
    """Return the project's models in the image, by path, and those that are missing."""
    models: dict[str, ModelContents | None] = {}
    missing = []
    for model in project.app.models:
        paths = [path for path in layers.models if _is_at(path, model)]
        usual = [path for path in paths if PurePosixPath(path).is_relative_to(PurePosixPath(top, model))]
        models |= {path: layers.models[path] for path in usual or paths}
        if not paths and not any(_is_at(file.path, model) for file in layers.files):
            missing.append(model)
    return dict(list(models.items())[:MODELS]), tuple(missing)


def _is_at(path: str, model: str) -> bool:
    """Whether a path in the image is the model, or a file in it, wherever the folder was copied."""
    return f"/{path}/".find(f"/{model}/") >= 0


def _behaviour(trial: CheckContainers, project: Project, golden: GoldenRow | None, monitor: Monitor) -> Behaviour:
    machine = EngineCloud(trial.engine).machine
    if machine:
        what = f"the engine runs on {machine}, so its containers cannot be reached from here"
        return Behaviour([warning("start", f"not started: {what}", "Choose an engine on this machine.")])
    return observe_behaviour(trial, project, golden, monitor)


def _excuse_other_platform(seen: Behaviour, inside: _Inside, trial: CheckContainers, image: Image) -> Behaviour:
    """Replace the failure of an image for another processor, which this machine cannot run."""
    if seen.failure is None or inside.inspection.python or _is_native(trial, image):
        return seen
    what = f"not started: this machine cannot run {image.platform}"
    return Behaviour([warning("start", what, "Let the engine emulate it (QEMU's binfmt), or check it elsewhere.")])


def _excuse_withheld_variables(seen: Behaviour, withheld: Sequence[str]) -> Behaviour:
    """Replace the failure of an app that ended for want of a variable whose value this machine does not know."""
    text = seen.failure.what.lower() if seen.failure else ""
    missing = [name for name in withheld if name.lower() in text]
    if not missing:
        return seen
    what = f"not started: the value of {' and '.join(missing)} is known on the target only"
    return Behaviour([warning("start", what, "To check it here, run `mldeploy check` with the variable in [app.env].")])


def _is_native(trial: CheckContainers, image: Image) -> bool:
    with engine_errors(trial.engine.endpoint):
        return str(trial.engine.client.version().get("Arch", "")) in image.platform.split("/")


def _of_libraries(project: Project, inside: _Inside, *, answered: bool) -> Iterator[Finding]:
    path = project.build.requirements
    for model in inside.missing:
        todo = "Copy it into the image, or correct `models` in [app]."
        yield warning("model", f"{model} is not in the image's own layers", todo)
    yield from libraries.check_models(inside.inspection, inside.models, path, answered=answered)
    yield from libraries.check_requirements(project, inside.inspection)


def _of_routes(trial: CheckContainers, project: Project, behaviour: Behaviour, monitor: Monitor) -> Iterator[Finding]:
    """Yield the app's own health route if the configured one does not answer."""
    failure = behaviour.failure
    if failure is None or failure.about is not About.HEALTH or project.app.command or project.build.dockerfile:
        return
    for each in find_corrections(project.app, list_served_routes(trial, project, monitor), assumed=()):
        if each.key == "health":
            yield error("health", str(each), f'Set `health = "{each.value}"` in [app] of mldeploy.toml.')


def _of_start(behaviour: Behaviour, libraries: list[Finding]) -> Iterator[Finding]:
    """Yield why the app did not become healthy, unless a finding about its model reports it already."""
    failure = behaviour.failure
    reported = any(each.subject == About.MODEL.value and each.level is Level.ERROR for each in libraries)
    if failure and not (failure.about is About.MODEL and reported):
        yield failure_finding(failure)
