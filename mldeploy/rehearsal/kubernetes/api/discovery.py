"""API discovery: the server's version, its API groups and resources, and its OpenAPI documents.

https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache

from werkzeug.wrappers import Response

from mldeploy.rehearsal.kubernetes.objects.errors import path_not_found
from mldeploy.rehearsal.kubernetes.objects.schemas import RELEASE, load_definitions
from mldeploy.rehearsal.kubernetes.objects.types import ALL, ApiResource, Object

VERSION = f"v{RELEASE}.2"
_READY = ("/healthz", "/livez", "/readyz")
_V3 = "/openapi/v3"
_SUBRESOURCE_VERBS = ("get", "patch", "update")
_SUBRESOURCE_KINDS = {
    "scale": "Scale",
    "exec": "PodExecOptions",
    "portforward": "PodPortForwardOptions",
    "eviction": "Eviction",
}


def handle_discovery(path: str, missing_groups: frozenset[str] = frozenset()) -> Response:
    """Respond to a path that names no object; 404 in plain text for an unknown path, as the real server.

    missing_groups: API groups that the cluster does not serve.
    """
    path = path.rstrip("/")
    if path in _READY:
        return Response("ok", content_type="text/plain")
    document = _documents(missing_groups).get(path)
    if document is None and path.startswith(_V3):
        document = _openapi(path, missing_groups)
    if document is None and path == "/openapi/v2":
        document = _openapi_v2()
    if document is None and any(path.startswith(f"{root}/") for root in _group_paths(missing_groups)):
        raise path_not_found()
    if document is None:
        return Response("404 page not found\n", 404, content_type="text/plain")
    return Response(json.dumps(document), content_type="application/json")


def _group_paths(missing_groups: frozenset[str]) -> Iterator[str]:
    """Yield the paths of the API groups that the cluster serves."""
    yield "/api/v1"
    yield from (f"/apis/{group}" for group in {each.group for each in ALL if each.group} - missing_groups)


@cache
def _documents(missing_groups: frozenset[str]) -> dict[str, Object]:
    groups = sorted({(each.group, each.version) for each in ALL if each.group and each.group not in missing_groups})
    document: dict[str, Object] = {
        "/version": _version(),
        "/api": {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(*each) for each in groups]},
        "/api/v1": _resources("v1"),
        _V3: {"paths": {path: {"serverRelativeURL": f"{_V3}/{path}"} for path in _openapi_paths(missing_groups)}},
    }
    for group, version in groups:
        document[f"/apis/{group}"] = {"kind": "APIGroup", "apiVersion": "v1", **_group(group, version)}
        document[f"/apis/{group}/{version}"] = _resources(f"{group}/{version}")
    return document


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
    entry = {"groupVersion": f"{group}/{version}", "version": version}
    return {"name": group, "versions": [entry], "preferredVersion": entry}


def _resources(version: str) -> Object:
    resources = []
    for each in ALL:
        if each.api_version == version:
            resources.append(_resource(each))
            resources += [_subresource(each, part) for part in each.parts]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": resources}


def _resource(each: ApiResource) -> Object:
    document: Object = {
        "name": each.plural,
        "singularName": each.kind.lower(),
        "namespaced": each.namespaced,
        "kind": each.kind,
        "verbs": list(each.verbs),
    }
    more = {"shortNames": list(each.short), "categories": list(each.categories)}
    return {**document, **{name: value for name, value in more.items() if value}}


def _subresource(each: ApiResource, part: str) -> Object:
    document: Object = {
        "name": f"{each.plural}/{part}",
        "singularName": "",
        "namespaced": each.namespaced,
        "kind": _SUBRESOURCE_KINDS.get(part, each.kind),
        "verbs": list(_SUBRESOURCE_VERBS),
    }
    if part == "eviction":
        return {**document, "group": "policy", "version": "v1", "verbs": ["create"]}
    return {**document, "group": "autoscaling", "version": "v1"} if part == "scale" else document


def _openapi_paths(missing_groups: frozenset[str]) -> dict[str, str]:
    """API versions by the path of their OpenAPI document."""
    known = [each for each in ALL if each.group not in missing_groups]
    return {f"apis/{each.api_version}" if each.group else "api/v1": each.api_version for each in known}


def _openapi(path: str, missing_groups: frozenset[str]) -> Object | None:
    """The part of a group's OpenAPI document that kubectl reads: patch operations and schemas."""
    version = _openapi_paths(missing_groups).get(path.removeprefix(f"{_V3}/"))
    if version is None:
        return None
    paths = {}
    for each in ALL:
        if each.api_version == version and "patch" in each.verbs:
            inside = "/namespaces/{namespace}" if each.namespaced else ""
            root = f"/apis/{version}" if each.group else "/api/v1"
            paths[f"{root}{inside}/{each.plural}/{{name}}"] = {"patch": _patch_operation(each)}
    info = {"title": "Kubernetes", "version": VERSION}
    return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": _schemas()}}


@cache
def _openapi_v2() -> Object:
    """The definitions of all types, for clients that do not know version 3."""
    definitions = json.loads(json.dumps(load_definitions()).replace("#/$defs/", "#/definitions/"))
    info = {"title": "Kubernetes", "version": VERSION}
    return {"swagger": "2.0", "info": info, "paths": {}, "definitions": definitions}


@cache
def _schemas() -> Object:
    document: Object = json.loads(json.dumps(load_definitions()).replace("#/$defs/", "#/components/schemas/"))
    return document


def _patch_operation(each: ApiResource) -> Object:
    """kubectl reads the supported query parameters from this operation."""
    names = ("dryRun", "fieldManager", "fieldValidation", "force")
    parameters = [{"name": name, "in": "query", "schema": {"type": "string"}} for name in names]
    kind = {"group": each.group, "version": each.version, "kind": each.kind}
    answers = {"200": {"description": "OK"}}
    return {"parameters": parameters, "x-kubernetes-group-version-kind": kind, "responses": answers}
