"""The Kubernetes stand-in: API server, controllers, nodes and Pods."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mldeploy.rehearsal.containers.host import ContainerHost, PublicAddressPool
from mldeploy.rehearsal.gateway.call_log import CallLog
from mldeploy.rehearsal.gateway.fault_proxy import FaultProxy
from mldeploy.rehearsal.gateway.proxy import StandInObject
from mldeploy.rehearsal.gateway.serving import Authority, break_connection, create_server, serve
from mldeploy.rehearsal.kubernetes.api.application import ApiServer
from mldeploy.rehearsal.kubernetes.api.authorization import (
    ADMIN,
    AccessAttributes,
    RbacAuthorizer,
    User,
    allow_all,
)
from mldeploy.rehearsal.kubernetes.api.pod_subresources import PodSubresources
from mldeploy.rehearsal.kubernetes.api.request import KubernetesAdapter
from mldeploy.rehearsal.kubernetes.control.deployments import DeploymentController
from mldeploy.rehearsal.kubernetes.control.garbage import GarbageCollector, NamespaceController
from mldeploy.rehearsal.kubernetes.control.loop import Controller, ControllerLoop, Recorder
from mldeploy.rehearsal.kubernetes.control.policies import DisruptionBudgets, HorizontalAutoscaler, ResourceQuotas
from mldeploy.rehearsal.kubernetes.control.replica_sets import ReplicaSetController
from mldeploy.rehearsal.kubernetes.control.services import ClusterLoadBalancer, ServiceController
from mldeploy.rehearsal.kubernetes.edge.gateways import GatewayController
from mldeploy.rehearsal.kubernetes.edge.ingresses import IngressController
from mldeploy.rehearsal.kubernetes.harshness import EVENT_SECONDS, RefuseOnce, add_fields
from mldeploy.rehearsal.kubernetes.kubelet.container_config import Login
from mldeploy.rehearsal.kubernetes.kubelet.containers import NodeContext as PodGround
from mldeploy.rehearsal.kubernetes.kubelet.pods import PodManager
from mldeploy.rehearsal.kubernetes.kubelet.volumes import Node, register
from mldeploy.rehearsal.kubernetes.objects.names import labels_of
from mldeploy.rehearsal.kubernetes.objects.store import Store
from mldeploy.rehearsal.kubernetes.objects.writer import ObjectWriter, keep_workload

if TYPE_CHECKING:
    import socket

    from _typeshed.wsgi import StartResponse, WSGIEnvironment
    from werkzeug.serving import BaseWSGIServer
from mldeploy.rehearsal.kubernetes.control.garbage import ROOT_CA
from mldeploy.rehearsal.kubernetes.control.loop import owner_uids
from mldeploy.rehearsal.kubernetes.edge import gateways, ingresses
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.admission import DEFAULT_CLASS
from mldeploy.rehearsal.kubernetes.objects.defaults import apply_defaults
from mldeploy.rehearsal.kubernetes.objects.store import new_object
from mldeploy.rehearsal.kubernetes.objects.types import ApiResource, Object, ObjectKey

NODES = (Node("rehearsal-1"), Node("rehearsal-2"))


@dataclass(frozen=True)
class ClusterContext:
    """Dependencies of a cluster. name: of the rehearsal. addresses: for load balancers. real: Pods are containers.

    pace: minimum seconds of each lifecycle phase. harsh: see `harshness`.
    """

    name: str
    host: ContainerHost
    addresses: PublicAddressPool
    authority: Authority
    ledger: CallLog
    pace: float
    real: bool
    harsh: bool = False


def no_login(image: str) -> None:
    """Node credentials for an image: none."""


class StandInCluster:
    """A WSGI application; `listen` binds it to an address. It runs from `start` until `stop`.

    is_known: whether a token is valid. login: registry credentials of the nodes, besides the Pods' pull secrets.
    adjust: the cloud's mutating admission controller. allows: its authorizer. has_late_nodes: its autoscaler refuses
    before it adds the node of the first Pod.
    """

    def __init__(
        self,
        context: ClusterContext,
        is_known: Callable[[str], bool],
        *,
        login: Login = no_login,
        nodes: Sequence[Node] = NODES,
        adjust: Callable[[ApiResource, Object], None] = keep_workload,
        allows: Callable[[AccessAttributes], bool] = allow_all,
        has_late_nodes: bool = False,
    ) -> None:
        self.store = Store(EVENT_SECONDS if context.harsh else 0.0)
        self._refuse = RefuseOnce() if context.harsh else None
        self._context = context
        self._nodes = nodes
        self._access, self._is_known = RbacAuthorizer(self.store, allows), is_known
        self._pods = PodManager(_node_context(context, self.store, login), has_late_nodes=has_late_nodes)
        self._services = ServiceController(self.store, context.addresses, context.pace)
        self._edges = (
            IngressController(self.store, context.addresses, context.pace),
            GatewayController(self.store, context.addresses, context.pace),
        )
        writer = ObjectWriter(self.store, _all_of(adjust, add_fields) if context.harsh else adjust)
        before, after = _controllers(context, self.store, writer)
        self._loop = ControllerLoop(self.store, (*before, self._pods, self._services, *self._edges, *after))
        self._api = ApiServer(
            self.store,
            writer,
            PodSubresources(self.store, self._pods),
            self._access,
            self._find_user,
            self._refuse,
        )
        adapter = KubernetesAdapter(lambda token: self._find_user(token) is not None)
        self._proxy = FaultProxy(self._api, adapter, context.ledger)
        self._connections = Connections()
        self._server: BaseWSGIServer | None = None

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        connection: socket.socket = environ["werkzeug.socket"]
        if self._connections.is_refused(connection):
            raise break_connection(connection)
        yield from self._connections.track(connection, lambda: self._proxy(environ, start))

    def start(self) -> None:
        """Create the system objects and start the controllers."""
        self._create_system_objects()
        self._loop.start()

    def listen(self, address: str, port: int) -> None:
        """Serve HTTPS. Raises OSError if the address is not available."""
        self._server = create_server(address, port, self, self._context.authority.context(address))
        serve(self._server)

    def stop(self) -> None:
        """Stop the cluster and all Pods; returns when done."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        self._loop.stop()
        self._connections.cut_all()
        self._close()

    def reset(self) -> None:
        """Reset the cluster to its initial state."""
        with self._loop.turn:
            self.store.clear()
            self._close()
            self._api.missing_groups = frozenset()
            if self._refuse is not None:
                self._refuse.reset()
            self._create_system_objects()

    def expire(self) -> None:
        """Discard the change history: every watch ends with 410."""
        self.store.expire()

    def restart(self, seconds: float) -> None:
        """Break all connections and refuse new ones for `seconds`."""
        self._connections.refuse(seconds)

    def lack(self, group: str) -> None:
        """Disable an API group until the next reset."""
        self._api.missing_groups |= {group}

    def used_permissions(self) -> Sequence[str]:
        """What roles have allowed since the start, such as `patch deployments.apps`."""
        return sorted(self._access.used)

    def balancers(self) -> Sequence[ClusterLoadBalancer]:
        """All load balancers."""
        return self._services.balancers

    def contents(self) -> Iterator[StandInObject]:
        """List the objects that clients have created, without system objects and derived objects."""
        for key, document in self.store.every():
            if not is_system_object(key, document):
                name = f"{key.namespace}/{key.name}" if key.namespace else key.name
                yield StandInObject(key.resource.name, name, dict(labels_of(document)))

    def _find_user(self, token: str) -> User | None:
        return ADMIN if self._is_known(token) else self._access.find_user(token)

    def _close(self) -> None:
        """Stop all proxies, load balancers and Pods."""
        for each in (*self._edges, self._services, self._pods):
            each.close()

    def _create_system_objects(self) -> None:
        create_system_objects(self.store)
        register(self.store, self._nodes)


def _all_of(*controllers: Callable[[ApiResource, Object], None]) -> Callable[[ApiResource, Object], None]:
    """Return the mutating admission controllers as one."""

    def adjust(resource: ApiResource, document: Object) -> None:
        for each in controllers:
            each(resource, document)

    return adjust


def _node_context(context: ClusterContext, store: Store, login: Login) -> PodGround:
    recorder, folder = Recorder(store, "kubelet"), context.authority.bundle.parent / "pods"
    how = (context.pace, context.real, folder, context.harsh)
    return PodGround(store, context.host, recorder, login, context.name, *how)


def _controllers(
    context: ClusterContext, store: Store, writer: ObjectWriter
) -> tuple[Sequence[Controller], Sequence[Controller]]:
    """Controllers without resources to close, before and after those with resources."""
    before = (
        NamespaceController(store, context.authority.pem.decode(), context.pace),
        GarbageCollector(store),
        HorizontalAutoscaler(store, writer),
        DeploymentController(store, writer),
        ReplicaSetController(store, writer),
    )
    return before, (DisruptionBudgets(store), ResourceQuotas(store))


class Connections:
    """The open connections, so that they can be broken."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._open: set[socket.socket] = set()
        self._until = 0.0

    def is_refused(self, connection: socket.socket) -> bool:
        return time.monotonic() < self._until

    def track(self, connection: socket.socket, answer: Callable[[], Iterable[bytes]]) -> Iterator[bytes]:
        """Yield a response while its connection is tracked."""
        with self._mutex:
            self._open.add(connection)
        try:
            yield from answer()
        finally:
            with self._mutex:
                self._open.discard(connection)

    def refuse(self, seconds: float) -> None:
        """Break all connections, and refuse new ones for `seconds`."""
        self._until = time.monotonic() + seconds
        self.cut_all()

    def cut_all(self) -> None:
        with self._mutex:
            connections = list(self._open)
        for each in connections:
            break_connection(each)


NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
PRIORITIES = ("system-cluster-critical", "system-node-critical")
_DERIVED = (kinds.NODES, kinds.EVENTS, kinds.ENDPOINTS, kinds.SLICES, kinds.REPLICA_SETS, kinds.LEASES)
_GIVEN = (
    (kinds.ACCOUNTS, "default"),
    (kinds.CONFIG_MAPS, ROOT_CA),
    (kinds.INGRESS_CLASSES, ingresses.CLASS),
    (kinds.GATEWAY_CLASSES, gateways.CLASS),
    *((kinds.PRIORITY_CLASSES, name) for name in PRIORITIES),
)


def create_system_objects(store: Store) -> None:
    """Create the system objects."""
    for name in NAMESPACES:
        _put(store, kinds.NAMESPACES, {"name": name}, {})
    ports = [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}]
    spec = {"clusterIP": "10.96.0.1", "clusterIPs": ["10.96.0.1"], "ports": ports, "type": "ClusterIP"}
    _put(store, kinds.SERVICES, {"name": "kubernetes", "namespace": "default"}, spec)
    default = {"name": ingresses.CLASS, "annotations": {DEFAULT_CLASS: "true"}}
    _put(store, kinds.INGRESS_CLASSES, default, {"controller": ingresses.CONTROLLER})
    for number, name in enumerate(PRIORITIES):
        _put(store, kinds.PRIORITY_CLASSES, {"name": name}, {}, value=2_000_000_000 + 1000 * number)
    _put(store, kinds.GATEWAY_CLASSES, {"name": gateways.CLASS}, {"controllerName": gateways.CONTROLLER})


def is_system_object(key: ObjectKey, document: Object) -> bool:
    """Whether an object is a system object or derived from another object."""
    if key.resource is kinds.NAMESPACES:
        return key.name in NAMESPACES
    service = (key.resource, key.namespace, key.name) == (kinds.SERVICES, "default", "kubernetes")
    follows = key.resource in _DERIVED or (key.resource is kinds.PODS and bool(owner_uids(document)))
    return (key.resource, key.name) in _GIVEN or service or follows


def _put(store: Store, resource: ApiResource, metadata: Object, spec: Object, **more: Any) -> None:
    document: Object = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata, **more}
    if spec:
        document["spec"] = spec
    apply_defaults(resource, document)
    store.put(ObjectKey(resource, metadata.get("namespace", ""), metadata["name"]), new_object(document))
