"""The step that lists the routes of a built image, and the file that keeps them for each image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from mldeploy.check.served_routes import ServedRoutes, dump_routes, list_served_routes, parse_routes
from mldeploy.check.server_questions import ask_server
from mldeploy.config.result_file import KEPT, read_results, remove_results, result_file, write_results
from mldeploy.config.settings import Project
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.image.cloud import HasEngine
from mldeploy.image.steps import BuiltImage
from mldeploy.image.types import Image


@dataclass(frozen=True, eq=False)
class ListedRoutes(Step[HasEngine, ServedRoutes]):
    """The routes that the app in an image serves are known. They are kept with the image's digest."""

    kind: ClassVar[str] = "app-routes"
    title: ClassVar[str] = "List the app's routes"

    image: BuiltImage

    def key(self) -> Key:
        return self.image.key()

    def probe(self, cloud: HasEngine, outs: Outputs) -> Seen[ServedRoutes] | None:
        image = outs.get(self.image)
        known = recall_routes(self.key().name, _subject(image, self.image.project)) if image else None
        return Seen(known) if known else None

    def apply(self, cloud: HasEngine, outs: Outputs, seen: Seen[ServedRoutes] | None, monitor: Monitor) -> ServedRoutes:
        """Raises EngineError, StateError, CancelledError. An app that cannot be imported is no error: see `problem`."""
        from mldeploy.check.trial import CheckContainers, hold_check_lock  # noqa: PLC0415 - what is kept does not wait

        image, project = outs[self.image], self.image.project
        with hold_check_lock(cloud.engine, self.key().name, monitor):
            trial = CheckContainers.of(cloud.engine, project.app, image.reference)
            ask = ask_server if starts_itself(project) else list_served_routes
            routes = ask(trial, project, monitor)
        if not routes.problem:
            remember_routes(self.key().name, _subject(image, project), routes)
        return routes

    @staticmethod
    def undo(cloud: HasEngine, key: Key, monitor: Monitor) -> bool:
        """Remove the kept routes."""
        return forget_routes(key.name)


OWN_SERVER = "its own server"


def starts_itself(project: Project) -> bool:
    """Whether the app is not served by mldeploy's server: it is then asked over HTTP, and not imported."""
    return bool(project.app.command or project.build.dockerfile)


def _subject(image: Image, project: Project) -> str:
    return f"{image.digest} {_who(project)}"


def _who(project: Project) -> str:
    return OWN_SERVER if starts_itself(project) else project.app.entry


def _file(app: str) -> Path:
    return result_file(app, "routes.json")


def _entries(file: Path) -> dict[str, str]:
    kept = read_results(file)
    return {str(key): str(value) for key, value in kept.items()} if isinstance(kept, dict) else {}


def recall_routes(app: str, subject: str) -> ServedRoutes | None:
    """Return the routes that are kept for an image, or None. An unreadable file counts as missing."""
    text = _entries(_file(app)).get(subject)
    return parse_routes([text]) if text else None


def recall_latest(project: Project) -> ServedRoutes | None:
    """Return the routes that were listed last for an app as it is served, or None."""
    kept = _entries(_file(project.app.name)).items()
    texts = (text for subject, text in kept if subject.endswith(f" {_who(project)}"))
    text = next(texts, None)
    return parse_routes([text]) if text else None


def remember_routes(app: str, subject: str, routes: ServedRoutes) -> None:
    """Keep the routes of an image. Raises StateError if the file cannot be written."""
    file = _file(app)
    others = {key: value for key, value in _entries(file).items() if key != subject}
    write_results(file, {subject: dump_routes(routes), **dict(list(others.items())[: KEPT - 1])})


def forget_routes(app: str) -> bool:
    """Remove the kept routes of an app; True if there were any. Raises StateError."""
    return remove_results(_file(app))
