"""Kubernetes control planes of clusters: each is a Kubernetes stand-in in this process, at its own address."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mldeploy.rehearsal.gateway.call_log import CallLog
from mldeploy.rehearsal.gateway.proxy import StandInObject
from mldeploy.rehearsal.gcp.artifacts.registry import USER
from mldeploy.rehearsal.gcp.conditions import ProjectConditions
from mldeploy.rehearsal.gcp.gke.autopilot import adjust_workload
from mldeploy.rehearsal.gcp.gke.kubernetes_iam import required_permission
from mldeploy.rehearsal.gcp.iam import ProjectIam
from mldeploy.rehearsal.gcp.project import PROJECT
from mldeploy.rehearsal.gcp.tokens import GoogleTokens
from mldeploy.rehearsal.kubernetes.api.authorization import AccessAttributes
from mldeploy.rehearsal.kubernetes.cluster import ClusterContext as ClusterGround
from mldeploy.rehearsal.kubernetes.cluster import StandInCluster
from mldeploy.rehearsal.kubernetes.kubelet.container_config import Login
from mldeploy.rehearsal.kubernetes.kubelet.volumes import Node
from mldeploy.rehearsal.kubernetes.objects.writer import keep_workload

if TYPE_CHECKING:
    from mldeploy.rehearsal.gcp.components import GcpContext
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class ServiceLoadBalancer:
    """A Service of type LoadBalancer with an address. service: `namespace/name`."""

    uid: str
    service: str
    address: str
    port: int


@dataclass(frozen=True)
class ControlPlaneSpec:
    """Specification of a control plane. address: of its API. account: the service account of its nodes.

    cpus, gigabytes: allocatable on each node.
    """

    cluster: str
    address: str
    account: str
    nodes: int
    is_autopilot: bool
    cpus: int
    gigabytes: int


class ControlPlane(Protocol):
    """A running Kubernetes cluster."""

    def stop(self) -> None:
        """Stop it and all its pods. Waits for the end."""

    def contents(self) -> Iterable[StandInObject]:
        """List its objects."""

    def balancers(self) -> Iterable[ServiceLoadBalancer]:
        """List its load balancers."""


class ControlPlaneFactory(Protocol):
    """Starts control planes."""

    @property
    def authority(self) -> bytes:
        """The CA certificate of their API servers, in PEM."""

    def start(self, spec: ControlPlaneSpec) -> ControlPlane:
        """Start a control plane, which then answers. Raises OSError if it cannot listen on its address."""


HTTPS = 443


class KubernetesControlPlanes:
    """`ControlPlaneFactory`. Its clusters accept Google's access tokens."""

    def __init__(
        self,
        context: GcpContext,
        tokens: GoogleTokens,
        call_log: CallLog,
        conditions: ProjectConditions,
        iam: ProjectIam,
    ) -> None:
        self._conditions = conditions
        self._iam = iam
        self._context = context
        self._tokens = tokens
        self._call_log = call_log

    @property
    def authority(self) -> bytes:
        return self._context.authority.pem

    def start(self, spec: ControlPlaneSpec) -> ControlPlane:
        context = self._context
        cluster_context = ClusterGround(
            context.name, context.host, context.public, context.authority, self._call_log, context.pace, context.real
        )
        names = (f"gke-{spec.cluster}-{number}" for number in range(1, spec.nodes + 1))
        nodes = [Node(name, spec.cpus, spec.gigabytes) for name in names]
        cluster = StandInCluster(
            cluster_context,
            self._is_known_token,
            login=self._login(spec.account),
            nodes=nodes,
            adjust=adjust_workload if spec.is_autopilot else keep_workload,
            allows=self._allows,
            has_late_nodes=spec.is_autopilot and self._conditions.is_harsh,
        )
        try:
            cluster.listen(spec.address, HTTPS)
        except OSError:
            cluster.stop()
            raise
        cluster.start()
        return _Plane(cluster)

    def _allows(self, attributes: AccessAttributes) -> bool:
        permission = required_permission(attributes)
        return not permission or self._iam.allows(permission)

    def _is_known_token(self, token: str) -> bool:
        return self._tokens.account(token) == PROJECT.account

    def _login(self, account: str) -> Login:
        """Return the login for pulls from the project's registry: a token of the nodes' account."""

        def login(image: str) -> tuple[str, str] | None:
            return (USER, self._tokens.of(account).text) if image.startswith(f"{self._context.address}/") else None

        return login


class _Plane:
    """`ControlPlane`."""

    def __init__(self, cluster: StandInCluster) -> None:
        self._cluster = cluster

    def stop(self) -> None:
        self._cluster.stop()

    def contents(self) -> Iterable[StandInObject]:
        for thing in self._cluster.contents():
            yield StandInObject(f"kubernetes:{thing.kind}", thing.name, thing.tags)

    def balancers(self) -> Iterable[ServiceLoadBalancer]:
        for each in self._cluster.balancers():
            yield ServiceLoadBalancer(each.uid, each.service, each.address, each.port)
