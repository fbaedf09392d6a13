"""What each call of ours needs: the least that RBAC can be told to allow.

https://kubernetes.io/docs/reference/access-authn-authz/rbac/. To apply an object that is not there, a user must be
allowed to `patch` and to `create` it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.types import (
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

APPLIED = ("get", "list", "watch", "create", "patch", "delete")
FOLLOWED = ("list", "watch")


@dataclass(frozen=True)
class Rule:
    """Some verbs on a type of objects. part: of each of them, "" for the whole. why: for whom it is."""

    kind: ObjectType
    verbs: tuple[str, ...]
    part: str = ""

    @property
    def resource(self) -> str:
        """As RBAC names it, without its group."""
        return f"{self.kind.plural}/{self.part}" if self.part else self.kind.plural

    def document(self) -> Mapping[str, object]:
        return {"apiGroups": [self.kind.group], "resources": [self.resource], "verbs": list(self.verbs)}


RULES = (
    *(
        Rule(kind, APPLIED)
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
    Rule(REPLICA_SET, (*FOLLOWED, "patch")),
    Rule(POD, ("get",), "log"),
    Rule(POD, ("get", "create"), "exec"),
    Rule(POD, ("get", "create"), "portforward"),
    Rule(EVENT, FOLLOWED),
    Rule(VOLUME_CLAIM, ("list",)),
)
"""In the app's namespace."""
NAMESPACE_RULES = (Rule(NAMESPACE, APPLIED),)
"""In the cluster. Without them, somebody else has to make the namespace."""


def policy(owner: Owner, space: str) -> Mapping[str, object]:
    """A List of a Role for the namespace and a ClusterRole for the namespace itself, as `kubectl apply` takes it.

    To whom they are given (a RoleBinding, a ClusterRoleBinding) is up to whoever gives them.
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
