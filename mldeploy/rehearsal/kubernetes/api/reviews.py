"""Questions that the API server answers at once. https://kubernetes.io/docs/reference/access-authn-authz/authorization/"""

from __future__ import annotations

from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.types import Object, Resource


def answered(resource: Resource, document: Object) -> Object:
    """Everybody who has a token may do everything."""
    made = {**document, "apiVersion": resource.api_version, "kind": resource.kind}
    if resource is kinds.ACCESS_REVIEWS:
        return {**made, "status": {"allowed": True, "reason": "everything may be rehearsed"}}
    every = [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]
    return {**made, "status": {"resourceRules": every, "nonResourceRules": [], "incomplete": False}}
