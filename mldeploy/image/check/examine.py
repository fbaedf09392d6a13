"""One check of one image: it is started, its Python is asked, its files are looked through, all at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PurePosixPath

from mldeploy.config.settings import Project
from mldeploy.core.events import Progress
from mldeploy.core.findings import Finding, Level, warning
from mldeploy.core.monitor import Monitor
from mldeploy.image.check import contents, libraries, secrecy
from mldeploy.image.check.behaviour import Behaviour, failed, observe
from mldeploy.image.check.contents import Layers
from mldeploy.image.check.inspection import Inspection, inspect
from mldeploy.image.check.trial import Trial, sweep
from mldeploy.image.check.verdict import Verdict
from mldeploy.image.client import GoldenRow
from mldeploy.image.cloud import EngineCloud
from mldeploy.image.engine import Engine
from mldeploy.image.errors import engine_errors
from mldeploy.image.running.causes import About
from mldeploy.image.types import BaseDigest, Image
from mldeploy.project.detect.formats import Contents

APP_FOLDER = "/app"
"""Where our own recipe puts all that is the app's."""
MODELS = 20
"""So many are loaded; a folder of more is an archive of trainings, and a check must end."""


@dataclass(frozen=True)
class _Inside:
    """What an image holds. missing: models of the project that it does not."""

    inspection: Inspection
    models: Mapping[str, Contents | None]
    missing: tuple[str, ...]
    secrets: tuple[Finding, ...]


def check(engine: Engine, project: Project, image: Image, base: BaseDigest, monitor: Monitor) -> Verdict:
    """Look at everything. What an earlier check left that was killed is removed; of this one nothing is left.

    Raises ProjectError if the golden row cannot be read, EngineError, CancelledError. What is wrong with the image is
    in the verdict, not raised. Blocks, at most for some times `check.start_timeout`. May be repeated.
    """
    golden = GoldenRow.load(project.check.golden) if project.check.golden else None
    sweep(engine, project.app.name)
    trial = Trial.of(engine, project.app, image.reference)
    monitor.progress(Progress("", "starting it behind the walls that it will have"))
    with ThreadPoolExecutor(1, thread_name_prefix="check") as pool:
        looking = pool.submit(_look_inside, trial, project, image, base, monitor)
        behaviour = _behaviour(trial, project, golden, monitor)
        inside = looking.result()
    behaviour = _if_it_could_run(behaviour, inside, trial, image)
    of_libraries = list(_of_libraries(project, inside, answered=behaviour.answered))
    findings = (*of_libraries, *_of_start(behaviour, of_libraries), *behaviour.findings, *inside.secrets)
    return Verdict(findings, behaviour.figures, inside.inspection)


def _look_inside(trial: Trial, project: Project, image: Image, base: BaseDigest, monitor: Monitor) -> _Inside:
    if project.build.dockerfile:
        with engine_errors(image.reference):
            top = trial.engine.client.inspect_image(image.digest)["Config"].get("WorkingDir") or "/"
        layers = contents.of_layers(trial, image.digest, base, monitor)
    else:
        top = APP_FOLDER
        layers = contents.of_folder(trial, top, monitor)
    models, missing = _models(project, layers, top.strip("/"))
    tried = [f"/{path}" for path, each in models.items() if each is None or each.format == libraries.PICKLE]
    inspection = inspect(trial, tried, monitor, project.check.start_timeout)
    return _Inside(inspection, models, missing, tuple(secrecy.secrets(trial, image.digest, layers)))


def _models(project: Project, layers: Layers, top: str) -> tuple[Mapping[str, Contents | None], tuple[str, ...]]:
    """The project's model files as they stand in the image, by their path there, and those that do not stand there."""
    found: dict[str, Contents | None] = {}
    missing = []
    for model in project.app.models:
        paths = [path for path in layers.models if _is_at(path, model)]
        usual = [path for path in paths if PurePosixPath(path).is_relative_to(PurePosixPath(top, model))]
        found |= {path: layers.models[path] for path in usual or paths}
        if not paths and not any(_is_at(file.path, model) for file in layers.files):
            missing.append(model)
    return dict(list(found.items())[:MODELS]), tuple(missing)


def _is_at(path: str, model: str) -> bool:
    """Whether a path in the image is this model of the folder, or a file in it, wherever the folder was copied to."""
    return f"/{path}/".find(f"/{model}/") >= 0


def _behaviour(trial: Trial, project: Project, golden: GoldenRow | None, monitor: Monitor) -> Behaviour:
    machine = EngineCloud(trial.engine).machine
    if machine:
        what = f"the engine runs on {machine}, and what is started there cannot be asked from here"
        return Behaviour([warning("start", f"not started: {what}", "Choose an engine on this machine.")])
    return observe(trial, project, golden, monitor)


def _if_it_could_run(seen: Behaviour, inside: _Inside, trial: Trial, image: Image) -> Behaviour:
    """An image for another processor, not even the Python of which runs here, is not to blame for that."""
    if seen.failure is None or inside.inspection.python or _is_native(trial, image):
        return seen
    what = f"not started: this machine cannot run {image.platform}"
    return Behaviour([warning("start", what, "Let the engine emulate it (QEMU's binfmt), or check it elsewhere.")])


def _is_native(trial: Trial, image: Image) -> bool:
    with engine_errors(trial.engine.endpoint):
        return str(trial.engine.client.version().get("Arch", "")) in image.platform.split("/")


def _of_libraries(project: Project, inside: _Inside, *, answered: bool) -> Iterator[Finding]:
    path = project.build.requirements
    for model in inside.missing:
        todo = "Copy it into the image, or correct `models` in [app]."
        yield warning("model", f"{model} is not in the image's own layers", todo)
    yield from libraries.models(inside.inspection, inside.models, path, answered=answered)
    yield from libraries.requirements(project, inside.inspection)


def _of_start(behaviour: Behaviour, libraries: list[Finding]) -> Iterator[Finding]:
    """Why the app never became healthy; nothing if that is its model's fault, and has been said of the model itself."""
    failure = behaviour.failure
    told = any(each.subject == About.MODEL.value and each.level is Level.ERROR for each in libraries)
    if failure and not (failure.about is About.MODEL and told):
        yield failed(failure)
