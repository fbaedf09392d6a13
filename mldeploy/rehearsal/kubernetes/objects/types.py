"""The types of objects that the API server knows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

Object: TypeAlias = dict[str, Any]
"""A Kubernetes object as JSON. Copy an object from the store before you change it."""

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True)
class ApiResource:
    """A type. https://kubernetes.io/docs/reference/using-api/api-concepts/

    group: "" for the core group. parts: its subresources. short: as kubectl abbreviates it. counted: it has
    metadata.generation. graceful: deletion has a grace period.
    """

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    parts: tuple[str, ...] = ()
    short: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
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
class ObjectKey:
    """Identifies an object. namespace: "" for cluster-scoped objects."""

    resource: ApiResource
    namespace: str
    name: str = field(default="")


_ALL = ("all",)
NAMESPACES = ApiResource(
    "", "v1", "namespaces", "Namespace", namespaced=False, parts=("status", "finalize"), short=("ns",)
)
NODES = ApiResource("", "v1", "nodes", "Node", namespaced=False, parts=("status",), short=("no",))
PODS = ApiResource(
    "",
    "v1",
    "pods",
    "Pod",
    parts=("status", "log", "exec", "attach", "portforward", "eviction"),
    short=("po",),
    categories=_ALL,
    graceful=True,
)
SERVICES = ApiResource("", "v1", "services", "Service", parts=("status",), short=("svc",), categories=_ALL)
ENDPOINTS = ApiResource("", "v1", "endpoints", "Endpoints", short=("ep",))
SLICES = ApiResource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
EVENTS = ApiResource("", "v1", "events", "Event", short=("ev",))
SECRETS = ApiResource("", "v1", "secrets", "Secret")
CONFIG_MAPS = ApiResource("", "v1", "configmaps", "ConfigMap", short=("cm",))
ACCOUNTS = ApiResource("", "v1", "serviceaccounts", "ServiceAccount", parts=("token",), short=("sa",))
CLAIMS = ApiResource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", parts=("status",), short=("pvc",))
QUOTAS = ApiResource("", "v1", "resourcequotas", "ResourceQuota", parts=("status",), short=("quota",))
DEPLOYMENTS = ApiResource(
    "apps",
    "v1",
    "deployments",
    "Deployment",
    parts=("status", "scale"),
    short=("deploy",),
    categories=_ALL,
    counted=True,
)
REPLICA_SETS = ApiResource(
    "apps", "v1", "replicasets", "ReplicaSet", parts=("status", "scale"), short=("rs",), categories=_ALL, counted=True
)
AUTOSCALERS = ApiResource(
    "autoscaling",
    "v2",
    "horizontalpodautoscalers",
    "HorizontalPodAutoscaler",
    parts=("status",),
    short=("hpa",),
    categories=_ALL,
)
BUDGETS = ApiResource(
    "policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", parts=("status",), short=("pdb",), counted=True
)
INGRESSES = ApiResource(
    "networking.k8s.io", "v1", "ingresses", "Ingress", parts=("status",), short=("ing",), counted=True
)
INGRESS_CLASSES = ApiResource("networking.k8s.io", "v1", "ingressclasses", "IngressClass", namespaced=False)
GATEWAYS = ApiResource(
    "gateway.networking.k8s.io", "v1", "gateways", "Gateway", parts=("status",), short=("gtw",), counted=True
)
GATEWAY_CLASSES = ApiResource(
    "gateway.networking.k8s.io",
    "v1",
    "gatewayclasses",
    "GatewayClass",
    namespaced=False,
    parts=("status",),
    short=("gc",),
    counted=True,
)
ROUTES = ApiResource("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute", parts=("status",), counted=True)
ROLES = ApiResource("rbac.authorization.k8s.io", "v1", "roles", "Role")
BINDINGS = ApiResource("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding")
CLUSTER_ROLES = ApiResource("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", namespaced=False)
CLUSTER_BINDINGS = ApiResource(
    "rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False
)
PRIORITY_CLASSES = ApiResource(
    "scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", namespaced=False, short=("pc",)
)
LIMITS = ApiResource("", "v1", "limitranges", "LimitRange", short=("limits",))
LEASES = ApiResource("coordination.k8s.io", "v1", "leases", "Lease")
ACCESS_REVIEWS = ApiResource(
    "authorization.k8s.io",
    "v1",
    "selfsubjectaccessreviews",
    "SelfSubjectAccessReview",
    namespaced=False,
    verbs=("create",),
)
RULES_REVIEWS = ApiResource(
    "authorization.k8s.io",
    "v1",
    "selfsubjectrulesreviews",
    "SelfSubjectRulesReview",
    namespaced=False,
    verbs=("create",),
)

STORED = (
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
    LIMITS,
    PRIORITY_CLASSES,
)
"""Types whose objects are stored."""
REVIEWS = (ACCESS_REVIEWS, RULES_REVIEWS)
"""Types that are evaluated at once and not stored."""
ALL = (*STORED, *REVIEWS)


def find_resource(group: str, version: str, plural: str) -> ApiResource | None:
    """Look up a type; None if there is none."""
    identity = (group, version, plural)
    return next((each for each in ALL if (each.group, each.version, each.plural) == identity), None)


def key_of(resource: ApiResource, document: Object) -> ObjectKey:
    """The key of a stored object."""
    metadata = document["metadata"]
    return ObjectKey(resource, metadata.get("namespace", ""), metadata["name"])
