"""Questions that the API server answers at once. https://kubernetes.io/docs/reference/access-authn-authz/authorization/"""

from __future__ import annotations

from mldeploy.rehearsal.kubernetes.api.access import MASTER, Access, Attempt, User
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.types import Object, Resource


def answered(access: Access, user: User, resource: Resource, document: Object) -> Object:
    """What somebody may do: one thing, or all that the roles allow in a namespace."""
    made, spec = {**document, "apiVersion": resource.api_version, "kind": resource.kind}, document.get("spec") or {}
    if resource is kinds.ACCESS_REVIEWS:
        return {**made, "status": {"allowed": access.allows(user, _attempt(spec))}}
    every = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
    found = [every] if user == MASTER else list(access.rules(user, spec.get("namespace", "")))
    about_objects = [each for each in found if each.get("resources")]
    about_paths = [each for each in found if each.get("nonResourceURLs")]
    status = {"resourceRules": about_objects, "nonResourceRules": about_paths, "incomplete": False}
    return {**made, "status": status}


def _attempt(spec: Object) -> Attempt:
    if asked := spec.get("nonResourceAttributes"):
        return Attempt(asked.get("verb", ""), path=asked.get("path", ""))
    asked = spec.get("resourceAttributes") or {}
    names = ("verb", "group", "resource", "subresource", "namespace", "name")
    return Attempt(*(asked.get(name, "") for name in names))
