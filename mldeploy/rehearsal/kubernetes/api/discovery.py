"""What the API server tells of itself: its version, and which types it knows.

https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api
"""

from __future__ import annotations

import json
from functools import cache

from werkzeug.wrappers import Response

from mldeploy.rehearsal.kubernetes.objects.refusals import no_such_path
from mldeploy.rehearsal.kubernetes.objects.schemas import RELEASE, definitions
from mldeploy.rehearsal.kubernetes.objects.types import ALL, Object, Resource

VERSION = f"v{RELEASE}.4"
_READY = ("/healthz", "/livez", "/readyz")
_V3 = "/openapi/v3"
_PART_VERBS = ("get", "patch", "update")
_ANSWERING = {
    "scale": "Scale",
    "exec": "PodExecOptions",
    "portforward": "PodPortForwardOptions",
    "eviction": "Eviction",
}


def answer(path: str, lacking: frozenset[str] = frozenset()) -> Response:
    """The answer to a path that is about no object. Raises Refused (404) where nothing answers.

    lacking: API groups that are not known here.
    """
    place = path.rstrip("/")
    if place in _READY:
        return Response("ok", content_type="text/plain")
    told = _documents(lacking).get(place)
    if told is None and place.startswith(_V3):
        told = _openapi(place, lacking)
    if told is None:
        raise no_such_path()
    return Response(json.dumps(told), content_type="application/json")


@cache
def _documents(lacking: frozenset[str]) -> dict[str, Object]:
    groups = sorted({(each.group, each.version) for each in ALL if each.group and each.group not in lacking})
    made: dict[str, Object] = {
        "/version": _version(),
        "/api": {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(*each) for each in groups]},
        "/api/v1": _resources("v1"),
        _V3: {"paths": {place: {"serverRelativeURL": f"{_V3}/{place}"} for place in _places(lacking)}},
    }
    for group, version in groups:
        made[f"/apis/{group}"] = {"kind": "APIGroup", "apiVersion": "v1", **_group(group, version)}
        made[f"/apis/{group}/{version}"] = _resources(f"{group}/{version}")
    return made


def _version() -> Object:
    major, _, minor = RELEASE.partition(".")
    return {
        "major": major,
        "minor": minor,
        "gitVersion": VERSION,
        "gitCommit": "rehearsal",
        "gitTreeState": "clean",
        "buildDate": "2025-08-13T00:00:00Z",
        "goVersion": "go1.24",
        "compiler": "gc",
        "platform": "linux/amd64",
    }


def _group(group: str, version: str) -> Object:
    said = {"groupVersion": f"{group}/{version}", "version": version}
    return {"name": group, "versions": [said], "preferredVersion": said}


def _resources(version: str) -> Object:
    listed = []
    for each in ALL:
        if each.api_version == version:
            listed.append(_resource(each))
            listed += [_part(each, part) for part in each.parts]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": listed}


def _resource(each: Resource) -> Object:
    made: Object = {
        "name": each.plural,
        "singularName": each.kind.lower(),
        "namespaced": each.namespaced,
        "kind": each.kind,
        "verbs": list(each.verbs),
    }
    more = {"shortNames": list(each.short), "categories": list(each.categories)}
    return {**made, **{name: value for name, value in more.items() if value}}


def _part(each: Resource, part: str) -> Object:
    made: Object = {
        "name": f"{each.plural}/{part}",
        "singularName": "",
        "namespaced": each.namespaced,
        "kind": _ANSWERING.get(part, each.kind),
        "verbs": list(_PART_VERBS),
    }
    if part == "eviction":
        return {**made, "group": "policy", "version": "v1", "verbs": ["create"]}
    return {**made, "group": "autoscaling", "version": "v1"} if part == "scale" else made


def _places(lacking: frozenset[str]) -> dict[str, str]:
    """Where a group's document is, with its version."""
    known = [each for each in ALL if each.group not in lacking]
    return {f"apis/{each.api_version}" if each.group else "api/v1": each.api_version for each in known}


def _openapi(place: str, lacking: frozenset[str]) -> Object | None:
    """As much of a group's document as kubectl reads: what can be patched, and every type."""
    version = _places(lacking).get(place.removeprefix(f"{_V3}/"))
    if version is None:
        return None
    paths = {}
    for each in ALL:
        if each.api_version == version and "patch" in each.verbs:
            inside = "/namespaces/{namespace}" if each.namespaced else ""
            root = f"/apis/{version}" if each.group else "/api/v1"
            paths[f"{root}{inside}/{each.plural}/{{name}}"] = {"patch": _patching(each)}
    info = {"title": "Kubernetes", "version": VERSION}
    return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": _schemas()}}


@cache
def _schemas() -> Object:
    made: Object = json.loads(json.dumps(definitions()).replace("#/$defs/", "#/components/schemas/"))
    return made


def _patching(each: Resource) -> Object:
    """By these parameters kubectl knows what it may ask for."""
    names = ("dryRun", "fieldManager", "fieldValidation", "force")
    parameters = [{"name": name, "in": "query", "schema": {"type": "string"}} for name in names]
    kind = {"group": each.group, "version": each.version, "kind": each.kind}
    answers = {"200": {"description": "OK"}}
    return {"parameters": parameters, "x-kubernetes-group-version-kind": kind, "responses": answers}
