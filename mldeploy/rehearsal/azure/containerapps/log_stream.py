"""The log streams of replicas and apps. Standard: Azure CLI, `containerapp logs show`, `_get_app_logs`.

A stream needs a token of `getAuthtoken`, and takes `follow`, `tailLines` and `output`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request, Response

from mldeploy.rehearsal.azure.containerapps.app import StandInApp
from mldeploy.rehearsal.azure.containerapps.apps import LOG_AUDIENCE, ContainerApps
from mldeploy.rehearsal.azure.containerapps.context import ContainerAppsContext
from mldeploy.rehearsal.azure.containerapps.log import StreamedLog, format_time
from mldeploy.rehearsal.gateway.fault_proxy import is_disconnected

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_PATH = re.compile(
    r"(?P<app>/subscriptions/[^/]+/resourceGroups/[^/]+)/containerApps/(?P<name>[^/]+)/"
    r"(?:eventstream|revisions/(?P<revision>[^/]+)/replicas/(?P<replica>[^/]+)/containers/(?P<container>[^/]+)/logstream)",
    re.IGNORECASE,
)
_TAIL = 20


def is_log_stream(path: str) -> bool:
    """Return whether a path is that of a log stream."""
    return _PATH.fullmatch(path) is not None


class LogStreams:
    """A WSGI application: the log streams of all apps."""

    def __init__(self, context: ContainerAppsContext, apps: ContainerApps) -> None:
        self._context = context
        self._apps = apps

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        return self._answer(Request(environ))(environ, start)

    def _answer(self, request: Request) -> Response:
        match = _PATH.fullmatch(request.path)
        if match is None:
            return Response("", 404)
        app_id = f"{match['app']}/providers/Microsoft.App/containerApps/{match['name']}"
        claims = self._context.tokens.read(
            request.headers.get("Authorization", "").removeprefix("Bearer "), LOG_AUDIENCE
        )
        if claims is None or claims["app"] != app_id.lower():
            return Response("", 401)
        with self._context.account.lock:
            resource = self._context.account.find(app_id)
            app = self._apps[resource] if resource is not None else None
            if resource is not None and self._context.account.is_first("log of", resource):
                return Response("The service is unavailable.", 503)
        found = _find_log(app, match["revision"], match["replica"], match["container"]) if app else None
        if found is None:
            return Response("", 404)
        return Response(_stream(request, *found), content_type="text/plain; charset=utf-8")


def _find_log(app: StandInApp, revision: str, replica: str, container: str) -> tuple[StreamedLog, str] | None:
    """Return a log and the lines before it. Source of these: the tutorial "Microservices with Dapr"."""
    if not revision:
        return app.log, ""
    found = app.revisions.get(revision)
    for each in found.replicas if found else ():
        if each.name == replica and found is not None and found.plan.container == container:
            where = f"[Revision: '{revision}', Replica: '{replica}']"
            first = f"{format_time()[:25]}  Connecting to the container '{container}'...\n"
            return (
                each.log,
                f"{first}{format_time()[:25]}  Successfully Connected to container: '{container}' {where}\n",
            )
    return None


def _stream(request: Request, log: StreamedLog, first: str) -> Iterator[bytes]:
    tail = min(int(request.args.get("tailLines") or _TAIL), 300)
    is_json, is_event = request.args.get("output") == "json", not first
    if first and not is_json:
        yield first.encode()
    if request.args.get("follow", "true").lower() != "true":
        for line in log.read(tail):
            yield _format(line, is_json=is_json, is_event=is_event)
        return
    connection = request.environ["werkzeug.socket"]
    for each in log.follow(tail, lambda: is_disconnected(connection)):
        if each is not None:
            yield _format(each, is_json=is_json, is_event=is_event)


def _format(line: tuple[str, str], *, is_json: bool, is_event: bool) -> bytes:
    moment, text = line
    if is_event:
        return f"{text}\n".encode()
    if is_json:
        return (json.dumps({"TimeStamp": moment, "Log": text}) + "\n").encode()
    return f"{moment.replace('+00:00', '')}000Z {text}\n".encode()
