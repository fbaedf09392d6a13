"""What the API server says of itself. https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api"""

from __future__ import annotations

import json
import re

from werkzeug.wrappers import Response

from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.refusals import no_such_path
from mldeploy.rehearsal.kubernetes.objects.schemas import RELEASE
from mldeploy.rehearsal.kubernetes.objects.types import Object, Resource

VERSION = f"v{RELEASE}.0"
_GROUP = re.compile(r"/apis/(?P<group>[^/]+)(?:/(?P<version>[^/]+))?/?")


def answer(path: str) -> Response:
    """The answer to a path that is about no object. Raises Refused (404) where nothing answers."""
    if path in ("/healthz", "/livez", "/readyz"):
        return Response("ok", content_type="text/plain")
    found = _about(path)
    if found is None:
        raise no_such_path()
    return Response(json.dumps(found), content_type="application/json")


def _about(path: str) -> Object | None:
    major, minor = RELEASE.split(".")
    fixed: dict[str, Object] = {
        "/version": {"major": major, "minor": minor, "gitVersion": VERSION, "platform": "linux/amd64"},
        "/api": {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(each) for each in _groups()]},
        "/api/v1": _resources("", "v1"),
    }
    if path.rstrip("/") in fixed:
        return fixed[path.rstrip("/")]
    parts = _GROUP.fullmatch(path)
    if parts is None or parts["group"] not in _groups():
        return None
    group, version = parts["group"], parts["version"]
    if version is None:
        return {"kind": "APIGroup", "apiVersion": "v1", **_group(group)}
    return _resources(group, version) if version == _groups()[group] else None


def _groups() -> dict[str, str]:
    return {each.group: each.version for each in kinds.ALL if each.group}


def _group(name: str) -> Object:
    version = {"groupVersion": f"{name}/{_groups()[name]}", "version": _groups()[name]}
    return {"name": name, "versions": [version], "preferredVersion": version}


def _resources(group: str, version: str) -> Object:
    found = [each for each in kinds.ALL if (each.group, each.version) == (group, version)]
    rows = [row for each in found for row in (_row(each), *(_part(each, part) for part in each.parts))]
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{group}/{version}" if group else version,
        "resources": rows,
    }


def _row(resource: Resource) -> Object:
    made: Object = {
        "name": resource.plural,
        "singularName": resource.kind.lower(),
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
        "shortNames": list(resource.short),
        "categories": list(resource.categories),
    }
    return {name: value for name, value in made.items() if value != []}


def _part(resource: Resource, part: str) -> Object:
    verbs = {"log": ["get"], "exec": ["create", "get"], "attach": ["create", "get"], "portforward": ["create", "get"]}
    kind = "Scale" if part == "scale" else resource.kind
    made: Object = {
        "name": f"{resource.plural}/{part}",
        "singularName": "",
        "namespaced": resource.namespaced,
        "kind": kind,
        "verbs": verbs.get(part, ["get", "patch", "update"]),
    }
    return {**made, "group": "autoscaling", "version": "v1"} if part == "scale" else made
