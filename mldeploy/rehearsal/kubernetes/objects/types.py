"""The types of objects that the API server knows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

Object: TypeAlias = dict[str, Any]
"""An object of Kubernetes as JSON. Whoever wants to change one that came from the store copies it first."""

WORKING = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True)
class Resource:
    """A type. https://kubernetes.io/docs/reference/using-api/api-concepts/

    group: "" for the core group. parts: its subresources. short: as kubectl abbreviates it. counted: its spec has a
    generation. graceful: it is asked to end before it goes.
    """

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    parts: tuple[str, ...] = ()
    short: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = WORKING
    counted: bool = False
    graceful: bool = False

    @property
    def api_version(self) -> str:
        """`apps/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def name(self) -> str:
        """As RBAC and error messages name it: `deployments.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def qualified(self) -> str:
        """As a validation's message names it: `Deployment.apps`."""
        return f"{self.kind}.{self.group}" if self.group else self.kind

    @property
    def has_status(self) -> bool:
        """Its status is written through a subresource alone."""
        return "status" in self.parts


@dataclass(frozen=True)
class Key:
    """An object's place. namespace: "" for what is in none."""

    resource: Resource
    namespace: str
    name: str = field(default="")


_ALL = ("all",)
NAMESPACES = Resource(
    "", "v1", "namespaces", "Namespace", namespaced=False, parts=("status", "finalize"), short=("ns",)
)
NODES = Resource("", "v1", "nodes", "Node", namespaced=False, parts=("status",), short=("no",))
PODS = Resource(
    "",
    "v1",
    "pods",
    "Pod",
    parts=("status", "log", "exec", "attach", "portforward", "eviction"),
    short=("po",),
    categories=_ALL,
    graceful=True,
)
SERVICES = Resource("", "v1", "services", "Service", parts=("status",), short=("svc",), categories=_ALL)
ENDPOINTS = Resource("", "v1", "endpoints", "Endpoints", short=("ep",))
SLICES = Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
EVENTS = Resource("", "v1", "events", "Event", short=("ev",))
SECRETS = Resource("", "v1", "secrets", "Secret")
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap", short=("cm",))
ACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount", parts=("token",), short=("sa",))
CLAIMS = Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", parts=("status",), short=("pvc",))
QUOTAS = Resource("", "v1", "resourcequotas", "ResourceQuota", parts=("status",), short=("quota",))
DEPLOYMENTS = Resource(
    "apps",
    "v1",
    "deployments",
    "Deployment",
    parts=("status", "scale"),
    short=("deploy",),
    categories=_ALL,
    counted=True,
)
REPLICA_SETS = Resource(
    "apps", "v1", "replicasets", "ReplicaSet", parts=("status", "scale"), short=("rs",), categories=_ALL, counted=True
)
AUTOSCALERS = Resource(
    "autoscaling",
    "v2",
    "horizontalpodautoscalers",
    "HorizontalPodAutoscaler",
    parts=("status",),
    short=("hpa",),
    categories=_ALL,
)
BUDGETS = Resource(
    "policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", parts=("status",), short=("pdb",), counted=True
)
INGRESSES = Resource("networking.k8s.io", "v1", "ingresses", "Ingress", parts=("status",), short=("ing",), counted=True)
INGRESS_CLASSES = Resource("networking.k8s.io", "v1", "ingressclasses", "IngressClass", namespaced=False)
GATEWAYS = Resource(
    "gateway.networking.k8s.io", "v1", "gateways", "Gateway", parts=("status",), short=("gtw",), counted=True
)
GATEWAY_CLASSES = Resource(
    "gateway.networking.k8s.io",
    "v1",
    "gatewayclasses",
    "GatewayClass",
    namespaced=False,
    parts=("status",),
    short=("gc",),
    counted=True,
)
ROUTES = Resource("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute", parts=("status",), counted=True)
ROLES = Resource("rbac.authorization.k8s.io", "v1", "roles", "Role")
BINDINGS = Resource("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding")
CLUSTER_ROLES = Resource("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", namespaced=False)
CLUSTER_BINDINGS = Resource(
    "rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False
)
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
ACCESS_REVIEWS = Resource(
    "authorization.k8s.io",
    "v1",
    "selfsubjectaccessreviews",
    "SelfSubjectAccessReview",
    namespaced=False,
    verbs=("create",),
)
RULES_REVIEWS = Resource(
    "authorization.k8s.io",
    "v1",
    "selfsubjectrulesreviews",
    "SelfSubjectRulesReview",
    namespaced=False,
    verbs=("create",),
)

KEPT = (
    NAMESPACES,
    NODES,
    PODS,
    SERVICES,
    ENDPOINTS,
    SLICES,
    EVENTS,
    SECRETS,
    CONFIG_MAPS,
    ACCOUNTS,
    CLAIMS,
    QUOTAS,
    DEPLOYMENTS,
    REPLICA_SETS,
    AUTOSCALERS,
    BUDGETS,
    INGRESSES,
    INGRESS_CLASSES,
    GATEWAY_CLASSES,
    GATEWAYS,
    ROUTES,
    ROLES,
    BINDINGS,
    CLUSTER_ROLES,
    CLUSTER_BINDINGS,
    LEASES,
)
"""Those whose objects are kept."""
REVIEWS = (ACCESS_REVIEWS, RULES_REVIEWS)
"""Those that are questions: the answer comes at once, and nothing is kept."""
ALL = (*KEPT, *REVIEWS)


def found(group: str, version: str, plural: str) -> Resource | None:
    """The type that a path speaks of; None if there is none."""
    wanted = (group, version, plural)
    return next((each for each in ALL if (each.group, each.version, each.plural) == wanted), None)


def key_of(resource: Resource, document: Object) -> Key:
    """Where an object that was in the store is."""
    metadata = document["metadata"]
    return Key(resource, metadata.get("namespace", ""), metadata["name"])
