"""The routes that an app itself reports, and the settings that they correct."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from mldeploy.app.containers import ContainerStartError
from mldeploy.check.inspection import INTERPRETERS, read_stdout, wait_for_end
from mldeploy.check.trial import CheckContainers
from mldeploy.config.secret import Secret
from mldeploy.config.settings import App, Project
from mldeploy.core.monitor import Monitor
from mldeploy.core.parsing import parse_json

LISTER = Path(__file__).with_name("route_lister.py")
_HEALTH = re.compile(r"(?i)/(?:health|healthz|healthcheck|health-check|livez|ready|readyz|ping|status|alive)/?")
_DOCUMENTS = frozenset({"/docs", "/redoc", "/openapi.json", "/docs/oauth2-redirect"})
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServedRoute:
    """One path that the app answers. content: the media types of its body that it documents, if it does."""

    path: str
    methods: tuple[str, ...]
    content: tuple[str, ...] = ()

    @property
    def has_parameters(self) -> bool:
        return any(char in self.path for char in "<{")


@dataclass(frozen=True)
class ServedRoutes:
    """What the app reports. complete: it hides nothing. problem: why there is nothing, "" if there is.

    health, port: of an app that was asked over HTTP, the path that answered, and the port if it is not the assumed one.
    """

    routes: tuple[ServedRoute, ...] = ()
    complete: bool = False
    problem: str = ""
    health: str = ""
    port: int = 0

    def has(self, method: str, path: str) -> bool:
        """Whether the app answers a method at a path."""
        return any(path == each.path for each in self.of_method(method))

    def of_method(self, method: str) -> tuple[ServedRoute, ...]:
        """The routes without a variable part that take a method."""
        return tuple(each for each in self.routes if method in each.methods and not each.has_parameters)


def list_served_routes(trial: CheckContainers, project: Project, monitor: Monitor) -> ServedRoutes:
    """Import the app in a container with production restrictions, and list its routes.

    Blocks for `check.start_timeout` at most. Raises EngineError, CancelledError; what the app does wrong is a problem
    in the result.
    """
    for interpreter in INTERPRETERS:
        program = [interpreter, "-c", LISTER.read_text(encoding="utf-8"), project.app.entry]
        changes: dict[str, object] = {"Entrypoint": program, "Cmd": [], "Healthcheck": {"Test": ["NONE"]}}
        with trial.container(replace(trial.spec(), init=False), **changes) as made:
            try:
                ended = wait_for_end(trial, made, monitor, project.check.start_timeout)
            except ContainerStartError as error:
                _log.info("%s in %s: %s", interpreter, trial.reference, error.what)
                continue
            for _ in monitor.attempts(every=0.1, within=5.0):  # the engine may still be writing the last line
                routes = parse_routes(read_stdout(trial, made))
                if routes or ended.running or ended.exit_status:
                    return routes or ServedRoutes(problem=f"the import ended with exit code {ended.exit_status}")
    return ServedRoutes(problem="the image has no Python that runs")


def parse_routes(lines: Iterable[str]) -> ServedRoutes | None:
    """The lister's last line; None if it is not there."""
    for line in reversed(list(lines)):
        try:
            value = parse_json(line.encode())
        except ValueError:
            continue
        if isinstance(value, dict) and isinstance(listed := value.get("routes"), list):
            routes = tuple(route for each in listed if (route := _route(each)))
            port, health = value.get("port"), value.get("health")
            return ServedRoutes(
                routes,
                not value.get("unknown"),
                str(value.get("problem", "")),
                health if isinstance(health, str) else "",
                port if isinstance(port, int) else 0,
            )
    return None


def _route(value: object) -> ServedRoute | None:
    if not isinstance(value, dict) or not re.fullmatch(r"/[!-~]*", str(value.get("path"))):
        return None
    methods, content = value.get("methods"), value.get("content")
    return ServedRoute(
        str(value["path"]),
        tuple(map(str, methods)) if isinstance(methods, list) else (),
        tuple(map(str, content)) if isinstance(content, list) else (),
    )


def dump_routes(routes: ServedRoutes) -> str:
    """The JSON that `parse_routes` reads."""
    listed = [{"path": each.path, "methods": each.methods, "content": each.content} for each in routes.routes]
    asked = {"health": routes.health, "port": routes.port} if routes.health or routes.port else {}
    return json.dumps(
        {"routes": listed, "unknown": [] if routes.complete else ["?"], "problem": routes.problem, **asked}
    )


@dataclass(frozen=True)
class RouteCorrection:
    """A setting that the app's own routes contradict. fixed: it is configured, and stays as it is."""

    key: str
    value: str
    suggested: str
    fixed: bool

    def __str__(self) -> str:
        if self.key == "port":
            now = f"the app listens on {self.value}"
            return (
                f"port is configured as {self.suggested}, but {now}"
                if self.fixed
                else (f"port is {self.value} ({now}; the source suggested {self.suggested})")
            )
        if self.fixed:
            return f"{self.key} is configured as {self.suggested}, but the app's own routes have {self.value}"
        return f"{self.key} is {self.value} (the app's own routes; the source suggested {self.suggested})"


def find_corrections(app: App, routes: ServedRoutes, assumed: Collection[str]) -> Iterator[RouteCorrection]:
    """Yield the settings that differ from the app's own routes. assumed: the keys of [app] that are not configured."""
    health = None
    if routes.health:
        health = routes.health
    elif not routes.problem and app.health_by != "server":
        health = _choose_health(app.health, routes.of_method("GET"), complete=routes.complete)
    port = str(routes.port) if routes.port else None
    chosen = (
        ("port", str(app.port), port),
        ("health", app.health, health),
        ("predict", app.predict, _choose_predict(app.predict, routes)),
    )
    for key, suggested, value in chosen:
        is_asked = bool(routes.health or routes.port)
        if value and value != suggested and not (is_asked and key not in assumed):
            yield RouteCorrection(key, value, suggested, fixed=key not in assumed)


def apply_corrections(project: Project, corrections: Iterable[RouteCorrection]) -> Project:
    """The project with the corrected settings. The image stays as it is: its container gets HEALTH as a variable."""
    app = project.app
    for each in corrections:
        if each.fixed:
            continue
        if each.key == "port":
            app = replace(app, port=int(each.value), image_port=app.port)
        elif each.key == "health" and project.build.dockerfile:  # its HEALTHCHECK, if it has one, is its own
            app = replace(app, health=each.value)
        elif each.key == "health":
            env = {**dict(app.env), "HEALTH": Secret(each.value, is_public=True)}
            app = replace(app, health=each.value, image_health=app.health, env=tuple(sorted(env.items(), key=_name)))
        else:
            app = replace(app, predict=each.value)
    return replace(project, app=app)


def _name(variable: tuple[str, Secret]) -> str:
    return variable[0]


def _choose_health(claimed: str, routes: tuple[ServedRoute, ...], *, complete: bool) -> str | None:
    """The app's own health route; of an incomplete list only the claimed one, below the prefix that the source hid."""
    paths = [each.path for each in routes]
    if claimed in paths or f"{claimed}/" in paths:
        return claimed
    named = [path for path in paths if path not in _DOCUMENTS and _HEALTH.search(path)]
    below = [path for path in paths if path.endswith(claimed) and claimed != "/"]
    if not complete:
        return below[0] if len(below) == 1 else None
    others = [path for path in ("/", "/docs") if path in paths]
    return next(iter((*below, *sorted(named, key=len), *others)), None)


def _choose_predict(claimed: str, routes: ServedRoutes) -> str | None:
    takers = [each for each in routes.of_method("POST") if not each.content or "application/json" in each.content]
    paths = [each.path for each in takers]
    pages = [each.path for each in routes.of_method("GET")]
    if claimed in (*paths, *pages):
        return None
    if not paths:
        return next((path for path in pages if path.endswith(claimed)), None)
    named = [path for path in paths if path.endswith(claimed)] or [path for path in paths if "predict" in path]
    return named[0] if named else paths[0] if len(paths) == 1 else None
