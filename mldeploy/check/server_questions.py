"""Ask an app that starts its own server, in a container: where it listens, which health path answers, its OpenAPI."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from mldeploy.app.client import AnswerError, AppClient, NoAnswerError
from mldeploy.app.container import Container
from mldeploy.app.containers import ContainerStartError
from mldeploy.app.listeners import list_sockets
from mldeploy.check.served_routes import ServedRoute, ServedRoutes
from mldeploy.check.trial import CheckContainers
from mldeploy.config.settings import Project
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor

HEALTH_PATHS = (
    "/health", "/healthz", "/_stcore/health", "/api/health", "/ping", "/livez", "/readyz", "/status", "/v1/health/live",
    "/",
)  # fmt: skip
"""Paths that are asked where the assumed one does not answer, the most telling first. `/` is any page."""
_OPENAPI = "/openapi.json"
_ASK_SECONDS = 5.0
_EVERY = 0.25
_SETTLED_SECONDS = 3.0
"""For so long an app listens on the same other port, before that port is taken for its own."""
_LOADING = frozenset({0, 429, 503})


@dataclass
class _OtherPort:
    """The one port that is reachable instead of the assumed one, and since when; 0: there is none."""

    port: int = 0
    since: float = 0.0

    def settles(self, waited: float, ports: frozenset[int]) -> bool:
        port = next(iter(ports)) if len(ports) == 1 else 0
        if port != self.port:
            self.port, self.since = port, waited
        return bool(port) and waited - self.since >= _SETTLED_SECONDS


def ask_server(trial: CheckContainers, project: Project, monitor: Monitor) -> ServedRoutes:
    """Start the app's own server with production restrictions, and ask it.

    Blocks for `check.start_timeout` at most, twice that if it listens on another port. Nothing is claimed that it does
    not answer. Raises EngineError, CancelledError; what the app does wrong is a problem in the result.
    """
    try:
        port, routes = _ask_on(trial, project, monitor)
        if port != trial.app.port:
            elsewhere = replace(trial, app=replace(trial.app, port=port))
            again, routes = _ask_on(elsewhere, project, monitor)
            return routes if routes.problem or again != port else replace(routes, port=port)
    except ContainerStartError as error:
        return ServedRoutes(problem=error.what)
    return routes


def _ask_on(trial: CheckContainers, project: Project, monitor: Monitor) -> tuple[int, ServedRoutes]:
    """Return the port on which the app listens, and what it answers there; nothing for another than the app's."""
    port, other = trial.app.port, _OtherPort()
    with trial.container(trial.spec()) as made:
        container = trial.containers.start(made)
        monitor.progress(Progress("", f"asking {container.url}"))
        for waited in monitor.attempts(every=_EVERY, within=project.check.start_timeout):
            container = trial.containers.present(made)
            if not container.running:
                return port, ServedRoutes(problem=f"it ended with exit code {container.exit_status}")
            sockets = list_sockets(trial.containers, container)
            open_ports = frozenset(each.port for each in sockets.listeners if not each.is_loopback) if sockets else None
            if open_ports is None or port in open_ports:
                if (routes := _ask(container, trial.app.health, monitor)) is not None:
                    return port, routes
            elif other.settles(waited, open_ports):
                return other.port, ServedRoutes()
    return port, ServedRoutes(problem="it did not answer in time")


def _ask(container: Container, health: str, monitor: Monitor) -> ServedRoutes | None:
    """Return what the app answers; None while it does not answer, or is still loading."""
    with AppClient(container.url, monitor=monitor) as app:
        for path in dict.fromkeys((health, *HEALTH_PATHS)):
            status = _status(app, path)
            if path == health and status in _LOADING:
                return None
            if status == 200:
                return ServedRoutes((ServedRoute(path, ("GET",)), *_documented(app)), health=path)
        return ServedRoutes(tuple(_documented(app)))


def _status(app: AppClient, path: str) -> int:
    """Return the status of a page, 200 for any success and 0 without an answer."""
    try:
        app.health(path, within=_ASK_SECONDS)
    except NoAnswerError:
        return 0
    except AnswerError as error:
        return error.status
    return 200


def _documented(app: AppClient) -> Iterator[ServedRoute]:
    """Yield the routes of an OpenAPI document, which FastAPI and others serve. Standard: OpenAPI 3.1, Paths Object."""
    try:
        document = app.get_json(_OPENAPI, within=_ASK_SECONDS)
    except (AnswerError, ValueError):
        return
    paths = document.get("paths") if isinstance(document, dict) else None
    for path, operations in paths.items() if isinstance(paths, dict) else ():
        for method in ("get", "post", "put"):
            operation = operations.get(method) if isinstance(operations, dict) else None
            if isinstance(operation, dict) and path.startswith("/"):
                body = operation.get("requestBody")
                content = body.get("content") if isinstance(body, dict) else None
                yield ServedRoute(path, (method.upper(),), tuple(content) if isinstance(content, dict) else ())
