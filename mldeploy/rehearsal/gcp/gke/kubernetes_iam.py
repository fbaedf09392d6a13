"""IAM's permissions for requests to a cluster's API.

https://cloud.google.com/kubernetes-engine/docs/reference/api-permissions
"""

from __future__ import annotations

from collections.abc import Mapping

from mldeploy.rehearsal.kubernetes.api.authorization import AccessAttributes

_KINDS: Mapping[str, str] = {
    each.lower(): each
    for each in (
        "configMaps",
        "cronJobs",
        "daemonSets",
        "deployments",
        "endpoints",
        "endpointSlices",
        "events",
        "horizontalPodAutoscalers",
        "ingresses",
        "jobs",
        "leases",
        "limitRanges",
        "namespaces",
        "networkPolicies",
        "nodes",
        "persistentVolumeClaims",
        "persistentVolumes",
        "podDisruptionBudgets",
        "pods",
        "priorityClasses",
        "replicaSets",
        "resourceQuotas",
        "roleBindings",
        "roles",
        "secrets",
        "serviceAccounts",
        "services",
        "statefulSets",
        "storageClasses",
    )
}
"""By the resource's name in lower case. Other resources are `thirdPartyObjects`."""
_VERBS: Mapping[str, str] = {"watch": "list", "patch": "update", "deletecollection": "delete"}
_PARTS: Mapping[str, str] = {
    "attach": "attach",
    "eviction": "evict",
    "exec": "exec",
    "log": "getLogs",
    "portforward": "portForward",
    "proxy": "proxy",
}


def required_permission(attributes: AccessAttributes) -> str:
    """The permission for a request; empty if every authenticated user may send it."""
    if not attributes.plural or attributes.plural.endswith("reviews"):
        return ""
    kind = _KINDS.get(attributes.plural, "thirdPartyObjects")
    verb = _VERBS.get(attributes.verb, attributes.verb)
    if attributes.part in ("scale", "status"):
        verb += attributes.part.capitalize()
    elif attributes.part:
        verb = _PARTS.get(attributes.part, attributes.part)
    return f"container.{kind}.{verb}"
