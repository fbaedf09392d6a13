"""Compute Engine's REST API, as far as it is read, and used to clear leftovers away."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request, Response

from mldeploy.rehearsal.gcp.compute.quotas import Quotas
from mldeploy.rehearsal.gcp.compute.things import BASE, DISKS, POOLS, RULES, Piece
from mldeploy.rehearsal.gcp.language import Gate
from mldeploy.rehearsal.gcp.project import Project
from mldeploy.rehearsal.gcp.refusals import ApiError, Code, denied

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

SERVICE = "compute.googleapis.com"
PREFIX = "/compute/v1/projects/"
_PATH = re.compile(rf"{PREFIX}(?P<project>[^/]+)(?:/(?P<rest>.+))?")
_ONE = re.compile(rf"((?:regions|zones)/[^/]+)/({RULES}|{POOLS}|{DISKS})(?:/([^/]+))?")


class Compute:
    """A WSGI application. pieces: all that there is. used: of each metric, in a region. remove: clears a leftover."""

    def __init__(
        self,
        project: Project,
        gate: Gate,
        quotas: Quotas,
        pieces: Callable[[], Iterable[Piece]],
        used: Callable[[str], Mapping[str, float]],
        remove: Callable[[Piece], bool],
    ) -> None:
        self._project = project
        self._gate = gate
        self._quotas = quotas
        self._pieces = pieces
        self._used = used
        self._remove = remove

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        try:
            answer = written(self._answer(request))
        except ApiError as error:
            answer = written(error.body, error.http_status)
        return answer(environ, start)

    def _answer(self, request: Request) -> Mapping[str, object]:
        parts = _PATH.fullmatch(request.path)
        if parts is None:
            raise ApiError(Code.NOT_FOUND, "Not Found")
        if not self._project.is_called(parts["project"]):
            raise denied(permission(request.method, request.path), f"projects/{parts['project']}")
        self._gate.require(SERVICE)
        rest = parts["rest"] or ""
        if request.method == "DELETE":
            return self._deleted(rest)
        if request.method != "GET":
            raise ApiError(Code.UNIMPLEMENTED, f"{request.method} is not rehearsed")
        return self._read(rest)

    def _read(self, rest: str) -> Mapping[str, object]:
        if not rest:
            return {"kind": "compute#project", "name": self._project.id, "defaultServiceAccount": self._project.nodes}
        scope, _, name = rest.partition("/")
        if scope == "aggregated":
            return self._aggregated(name)
        if scope == "regions" and name and "/" not in name:
            quotas = list(self._quotas.described(self._used(name)))
            return {"kind": "compute#region", "name": name, "status": "UP", "quotas": quotas}
        return self._one_or_more(rest)

    def _aggregated(self, kind: str) -> Mapping[str, object]:
        if kind not in (RULES, POOLS, DISKS):
            raise ApiError(Code.UNIMPLEMENTED, f"{kind} are not rehearsed")
        places: dict[str, dict[str, list[object]]] = defaultdict(lambda: {kind: []})
        for piece in self._pieces():
            if piece.kind == kind:
                places[piece.place][kind].append(piece.described(self._project.id))
        return {"kind": f"compute#{kind.removesuffix('s')}AggregatedList", "items": dict(places)}

    def _one_or_more(self, rest: str) -> Mapping[str, object]:
        parts = _ONE.fullmatch(rest)
        if parts is None:
            raise ApiError(Code.UNIMPLEMENTED, f"{rest} is not rehearsed")
        place, kind, name = parts.groups()
        if name:
            return self._piece(rest).described(self._project.id)
        found = [
            each.described(self._project.id) for each in self._pieces() if (each.place, each.kind) == (place, kind)
        ]
        return {"kind": f"compute#{kind.removesuffix('s')}List", "items": found}

    def _deleted(self, rest: str) -> Mapping[str, object]:
        piece = self._piece(rest)
        if not self._remove(piece):
            what = f"The {piece.kind} resource '{rest}' is already being used by a cluster."
            raise ApiError(Code.FAILED_PRECONDITION, what, "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE")
        target = f"{BASE}/projects/{self._project.id}/{rest}"
        return {"kind": "compute#operation", "status": "DONE", "progress": 100, "targetLink": target}

    def _piece(self, path: str) -> Piece:
        for piece in self._pieces():
            if piece.path == path:
                return piece
        raise ApiError(Code.NOT_FOUND, f"The resource 'projects/{self._project.id}/{path}' was not found")


def permission(method: str, path: str) -> str:
    """What IAM asks of whoever sends this: `compute.forwardingRules.list`."""
    parts = _PATH.fullmatch(path)
    rest = (parts["rest"] or "").split("/") if parts else ["unknown"]
    if rest == [""]:
        return "compute.projects.get"
    if rest[0] == "aggregated":
        return f"compute.{rest[-1]}.list"
    verb = {"GET": "get", "DELETE": "delete", "POST": "create"}.get(method, method.lower())
    if len(rest) == 3:
        return f"compute.{rest[-1]}.{'list' if method == 'GET' else verb}"
    return f"compute.{rest[-2] if len(rest) > 1 else rest[0]}.{verb}"


def written(body: Mapping[str, object], status: int = 200) -> Response:
    """An answer in JSON."""
    return Response(json.dumps(body), status, content_type="application/json; charset=UTF-8")
