"""The RBAC permissions that mldeploy requires: the minimum for its requests.

https://kubernetes.io/docs/reference/access-authn-authz/rbac/. To apply a new object, a user needs the verbs
`patch` and `create`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mldeploy.providers.kubernetes.api import (
    AUTOSCALER,
    CONFIG_MAP,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    EVENT,
    HTTP_ROUTE,
    INGRESS,
    NAMESPACE,
    POD,
    REPLICA_SET,
    SECRET,
    SERVICE,
    VOLUME_CLAIM,
    ObjectType,
)
from mldeploy.providers.kubernetes.labels import Owner

APPLIED = ("get", "list", "watch", "create", "patch", "delete")
FOLLOWED = ("list", "watch")


@dataclass(frozen=True)
class RbacRule:
    """Verbs on a type of objects. part: a subresource, "" for the object itself."""

    kind: ObjectType
    verbs: tuple[str, ...]
    part: str = ""

    @property
    def resource(self) -> str:
        """The resource's name in RBAC, without its group."""
        return f"{self.kind.plural}/{self.part}" if self.part else self.kind.plural

    @property
    def qualified(self) -> str:
        """The resource's name with its group: `deployments.apps`, `pods/log`."""
        return f"{self.kind.resource}/{self.part}" if self.part else self.kind.resource

    def document(self) -> Mapping[str, object]:
        return {"apiGroups": [self.kind.group], "resources": [self.resource], "verbs": list(self.verbs)}


RULES = (
    *(
        RbacRule(kind, APPLIED)
        for kind in (
            CONFIG_MAP,
            SECRET,
            DEPLOYMENT,
            SERVICE,
            POD,
            DISRUPTION_BUDGET,
            AUTOSCALER,
            INGRESS,
            HTTP_ROUTE,
        )
    ),
    RbacRule(REPLICA_SET, (*FOLLOWED, "patch")),
    RbacRule(POD, ("get",), "log"),
    RbacRule(POD, ("get", "create"), "exec"),
    RbacRule(POD, ("get", "create"), "portforward"),
    RbacRule(EVENT, FOLLOWED),
    RbacRule(VOLUME_CLAIM, ("list",)),
    RbacRule(NAMESPACE, ("get",)),
)
"""In the app's namespace. A request for the namespace itself is in it, too."""
NAMESPACE_RULES = (RbacRule(NAMESPACE, APPLIED),)
"""Cluster-wide. Without them, an administrator has to create the namespace."""


def build_policy(owner: Owner, space: str) -> Mapping[str, object]:
    """Return a List with a Role in the namespace and a ClusterRole for the namespace itself, for `kubectl apply`.

    An administrator adds a RoleBinding and a ClusterRoleBinding.
    """
    name = f"mldeploy-{owner.app}"
    return {"apiVersion": "v1", "kind": "List", "items": list(_roles(name, space))}


def _roles(name: str, space: str) -> Iterator[Mapping[str, object]]:
    version = "rbac.authorization.k8s.io/v1"
    yield {
        "apiVersion": version,
        "kind": "Role",
        "metadata": {"name": name, "namespace": space},
        "rules": [each.document() for each in RULES],
    }
    yield {
        "apiVersion": version,
        "kind": "ClusterRole",
        "metadata": {"name": name},
        "rules": [each.document() for each in NAMESPACE_RULES],
    }
