"""The types of objects that are spoken of, and where the API has them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ObjectType:
    """A type of the API. https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris

    version: with its group, `apps/v1`. plural: its name in a path. kind: its name in a manifest.
    """

    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def group(self) -> str:
        """ "" for the core group."""
        return self.version.rpartition("/")[0]

    @property
    def resource(self) -> str:
        """As RBAC and error messages name it: `deployments.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str = "", name: str = "", part: str = "") -> str:
        """Of all objects, or of one, or of a part of one (`log`)."""
        parts = ["apis" if self.group else "api", self.version]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        return "/" + "/".join(filter(None, (*parts, self.plural, name, part)))


NAMESPACE = ObjectType("v1", "namespaces", "Namespace", namespaced=False)
CONFIG_MAP = ObjectType("v1", "configmaps", "ConfigMap")
SECRET = ObjectType("v1", "secrets", "Secret")
SERVICE = ObjectType("v1", "services", "Service")
POD = ObjectType("v1", "pods", "Pod")
VOLUME_CLAIM = ObjectType("v1", "persistentvolumeclaims", "PersistentVolumeClaim")
EVENT = ObjectType("v1", "events", "Event")
DEPLOYMENT = ObjectType("apps/v1", "deployments", "Deployment")
REPLICA_SET = ObjectType("apps/v1", "replicasets", "ReplicaSet")
AUTOSCALER = ObjectType("autoscaling/v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler")
DISRUPTION_BUDGET = ObjectType("policy/v1", "poddisruptionbudgets", "PodDisruptionBudget")
INGRESS = ObjectType("networking.k8s.io/v1", "ingresses", "Ingress")
HTTP_ROUTE = ObjectType("gateway.networking.k8s.io/v1", "httproutes", "HTTPRoute")
ACCESS_REVIEW = ObjectType(
    "authorization.k8s.io/v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", namespaced=False
)

APPLIED = (
    NAMESPACE,
    CONFIG_MAP,
    SECRET,
    SERVICE,
    POD,
    DEPLOYMENT,
    AUTOSCALER,
    DISRUPTION_BUDGET,
    INGRESS,
    HTTP_ROUTE,
)
"""What we send, by its manifest's kind."""


def type_of(kind: str) -> ObjectType:
    """The type of what we apply. Raises KeyError for any other kind."""
    return {each.kind: each for each in APPLIED}[kind]
