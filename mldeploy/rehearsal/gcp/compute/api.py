"""Compute Engine's REST API: reads, and deletion of leftovers."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request, Response

from mldeploy.rehearsal.gcp.conditions import NEW_PROJECT
from mldeploy.rehearsal.gcp.errors import ApiError, Code, permission_denied
from mldeploy.rehearsal.gcp.project import StandInProject
from mldeploy.rehearsal.gcp.tokens import GoogleAuthenticator

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

from mldeploy.rehearsal.gateway.proxy import StandInObject

BASE = "https://www.googleapis.com/compute/v1"
RULES, POOLS, DISKS = "forwardingRules", "targetPools", "disks"


@dataclass(frozen=True)
class ComputeResource:
    """A resource. kind: as in paths, `forwardingRules`. scope: `regions/us-central1`. more: fields of its kind."""

    kind: str
    scope: str
    name: str
    more: Mapping[str, object] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    description: str = ""

    @property
    def path(self) -> str:
        return f"{self.scope}/{self.kind}/{self.name}"

    @property
    def thing(self) -> StandInObject:
        return StandInObject(f"compute:{self.kind.removesuffix('s')}", self.name, dict(self.labels))

    def described(self, project: str) -> Mapping[str, object]:
        """Describe it as in API responses."""
        level, _, location = self.scope.partition("/")
        return {
            "kind": f"compute#{self.kind.removesuffix('s')}",
            "id": str(uuid.uuid5(uuid.NAMESPACE_URL, self.path).int >> 65),
            "name": self.name,
            "description": self.description,
            "labels": dict(self.labels),
            level.removesuffix("s"): f"{BASE}/projects/{project}/{level}/{location}",
            "selfLink": f"{BASE}/projects/{project}/{self.path}",
            **self.more,
        }


def load_balancer_resources(
    region: str, uid: str, service: str, address: str, port: int, key: str
) -> Iterator[ComputeResource]:
    """Create the resources of a Service of type LoadBalancer.

    uid: of the Service. service: `namespace/name`. key: of the Service in their descriptions.
    """
    name = f"a{uid.replace('-', '')}"[:32]
    scope, description = f"regions/{region}", json.dumps({key: service})
    rule = {
        "IPAddress": address,
        "IPProtocol": "TCP",
        "portRange": f"{port}-{port}",
        "loadBalancingScheme": "EXTERNAL",
        "networkTier": "PREMIUM",
        "target": f"{BASE}/projects/-/{scope}/{POOLS}/{name}",
    }
    yield ComputeResource(RULES, scope, name, rule, description=description)
    yield ComputeResource(POOLS, scope, name, {"sessionAffinity": "NONE"}, description=description)


def boot_disk(zone: str, node: str, labels: Mapping[str, str], gigabytes: int) -> ComputeResource:
    """Create a node's boot disk, with the cluster's labels."""
    more = {
        "sizeGb": str(gigabytes),
        "status": "READY",
        "type": f"{BASE}/projects/-/zones/{zone}/diskTypes/pd-balanced",
    }
    return ComputeResource(DISKS, f"zones/{zone}", node, more, labels)


class RegionQuotas:
    """Limits for all regions. used: current usage of each metric in a region."""

    def __init__(self, project: str) -> None:
        self._project = project
        self._limits: dict[str, float] = dict(NEW_PROJECT)

    def reset(self) -> None:
        self._limits = dict(NEW_PROJECT)

    def limit(self, metric: str, limit: float) -> None:
        """Set a limit for all regions."""
        self._limits[metric] = limit

    def require(self, requested: Mapping[str, float], used: Mapping[str, float]) -> None:
        """Raise ApiError if a quota is exceeded."""
        for metric, amount in requested.items():
            limit, free = self._limits[metric], self._limits[metric] - used.get(metric, 0.0)
            if amount > free:
                raise ApiError(
                    Code.PERMISSION_DENIED,
                    f'Insufficient regional quota to satisfy request: resource "{metric}": request requires '
                    f"'{amount:.1f}' and is short '{amount - free:.1f}'. project has a quota of '{limit:.1f}' with "
                    f"'{free:.1f}' available. View and manage quotas at console.cloud.google.com/iam-admin/quotas"
                    f"?usage=USED&project={self._project}.",
                )

    def described(self, used: Mapping[str, float]) -> Iterator[Mapping[str, object]]:
        """Describe the quotas as in a region's API response."""
        for metric, limit in self._limits.items():
            yield {"metric": metric, "limit": limit, "usage": used.get(metric, 0.0)}


SERVICE = "compute.googleapis.com"
PREFIX = "/compute/v1/projects/"
_PATH = re.compile(rf"{PREFIX}(?P<project>[^/]+)(?:/(?P<rest>.+))?")
_ONE = re.compile(rf"((?:regions|zones)/[^/]+)/({RULES}|{POOLS}|{DISKS})(?:/([^/]+))?")


class ComputeApi:
    """A WSGI application. pieces: lists all resources. used: quota usage in a region. remove: deletes a leftover."""

    def __init__(
        self,
        project: StandInProject,
        authenticator: GoogleAuthenticator,
        quotas: RegionQuotas,
        pieces: Callable[[], Iterable[ComputeResource]],
        used: Callable[[str], Mapping[str, float]],
        remove: Callable[[ComputeResource], bool],
    ) -> None:
        self._project = project
        self._authenticator = authenticator
        self._quotas = quotas
        self._pieces = pieces
        self._used = used
        self._remove = remove

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        try:
            answer = json_response(self._answer(request))
        except ApiError as error:
            answer = json_response(error.body, error.http_status)
        return answer(environ, start)

    def _answer(self, request: Request) -> Mapping[str, object]:
        parts = _PATH.fullmatch(request.path)
        if parts is None:
            raise ApiError(Code.NOT_FOUND, "Not Found")
        if not self._project.is_called(parts["project"]):
            raise permission_denied(required_permission(request.method, request.path), f"projects/{parts['project']}")
        self._authenticator.require(SERVICE, required_permission(request.method, request.path))
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
        scopes: dict[str, dict[str, list[object]]] = defaultdict(lambda: {kind: []})
        for piece in self._pieces():
            if piece.kind == kind:
                scopes[piece.scope][kind].append(piece.described(self._project.id))
        return {"kind": f"compute#{kind.removesuffix('s')}AggregatedList", "items": dict(scopes)}

    def _one_or_more(self, rest: str) -> Mapping[str, object]:
        parts = _ONE.fullmatch(rest)
        if parts is None:
            raise ApiError(Code.UNIMPLEMENTED, f"{rest} is not rehearsed")
        scope, kind, name = parts.groups()
        if name:
            return self._piece(rest).described(self._project.id)
        items = [
            each.described(self._project.id) for each in self._pieces() if (each.scope, each.kind) == (scope, kind)
        ]
        return {"kind": f"compute#{kind.removesuffix('s')}List", "items": items}

    def _deleted(self, rest: str) -> Mapping[str, object]:
        piece = self._piece(rest)
        if not self._remove(piece):
            what = f"The {piece.kind} resource '{rest}' is already being used by a cluster."
            raise ApiError(Code.FAILED_PRECONDITION, what, "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE")
        target = f"{BASE}/projects/{self._project.id}/{rest}"
        return {"kind": "compute#operation", "status": "DONE", "progress": 100, "targetLink": target}

    def _piece(self, path: str) -> ComputeResource:
        for piece in self._pieces():
            if piece.path == path:
                return piece
        raise ApiError(Code.NOT_FOUND, f"The resource 'projects/{self._project.id}/{path}' was not found")


def required_permission(method: str, path: str) -> str:
    """Return the IAM permission that a request needs: `compute.forwardingRules.list`."""
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


def json_response(body: Mapping[str, object], status: int = 200) -> Response:
    """Create a JSON response."""
    return Response(json.dumps(body), status, content_type="application/json; charset=UTF-8")
