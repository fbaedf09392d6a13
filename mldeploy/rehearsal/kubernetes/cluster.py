"""A Kubernetes cluster: an API server at an address, controllers, nodes, and what runs on them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mldeploy.rehearsal.containers.host import Host
from mldeploy.rehearsal.containers.network import Addresses
from mldeploy.rehearsal.door.authority import Authority
from mldeploy.rehearsal.door.frontdoor import FrontDoor
from mldeploy.rehearsal.door.interface import Thing
from mldeploy.rehearsal.door.ledger import Ledger
from mldeploy.rehearsal.door.serving import cut, listening, serve
from mldeploy.rehearsal.kubernetes.api.access import MASTER, Access, User
from mldeploy.rehearsal.kubernetes.api.application import ApiServer
from mldeploy.rehearsal.kubernetes.api.asked import KubernetesLanguage
from mldeploy.rehearsal.kubernetes.api.pods import PodParts
from mldeploy.rehearsal.kubernetes.control.deployments import DeploymentController
from mldeploy.rehearsal.kubernetes.control.events import Recorder
from mldeploy.rehearsal.kubernetes.control.garbage import GarbageCollector
from mldeploy.rehearsal.kubernetes.control.loop import Controller, Loop
from mldeploy.rehearsal.kubernetes.control.namespaces import NamespaceController
from mldeploy.rehearsal.kubernetes.control.policies import Autoscaling, Budgets, Quotas
from mldeploy.rehearsal.kubernetes.control.replica_sets import ReplicaSetController
from mldeploy.rehearsal.kubernetes.control.services import Balancer, ServiceController
from mldeploy.rehearsal.kubernetes.edge.gateways import GatewayController
from mldeploy.rehearsal.kubernetes.edge.ingresses import IngressController
from mldeploy.rehearsal.kubernetes.furniture import furnish, is_furniture
from mldeploy.rehearsal.kubernetes.kubelet.containers import Ground as PodGround
from mldeploy.rehearsal.kubernetes.kubelet.images import Login
from mldeploy.rehearsal.kubernetes.kubelet.nodes import Node, register
from mldeploy.rehearsal.kubernetes.kubelet.pods import Pods
from mldeploy.rehearsal.kubernetes.objects.selectors import labels_of
from mldeploy.rehearsal.kubernetes.objects.store import Store
from mldeploy.rehearsal.kubernetes.objects.writing import Writing

if TYPE_CHECKING:
    import socket

    from _typeshed.wsgi import StartResponse, WSGIEnvironment
    from werkzeug.serving import BaseWSGIServer

NODES = (Node("rehearsal-1"), Node("rehearsal-2"))


@dataclass(frozen=True)
class Ground:
    """What a cluster stands on. name: of the rehearsal. addresses: for load balancers. real: Pods are containers.

    pace: seconds that each phase of a thing's life takes at least.
    """

    name: str
    host: Host
    addresses: Addresses
    authority: Authority
    ledger: Ledger
    pace: float
    real: bool


def nobody(image: str) -> None:
    """Nodes that have no credentials of their own."""


class Cluster:
    """A WSGI application; `listen` gives it an address of its own. It runs from `start` until `stop`.

    knows: whether a token is somebody's. login: with what its nodes pull, besides the secrets that Pods name.
    """

    def __init__(
        self, ground: Ground, knows: Callable[[str], bool], *, login: Login = nobody, nodes: Sequence[Node] = NODES
    ) -> None:
        self.store = Store()
        self._ground = ground
        self._nodes = nodes
        self._access, self._knows = Access(self.store), knows
        self._pods = Pods(_pod_ground(ground, self.store, login))
        self._services = ServiceController(self.store, ground.addresses, ground.pace)
        self._edges = (
            IngressController(self.store, ground.addresses, ground.pace),
            GatewayController(self.store, ground.addresses, ground.pace),
        )
        writing = Writing(self.store)
        before, after = _controllers(ground, self.store, writing)
        self._loop = Loop(self.store, (*before, self._pods, self._services, *self._edges, *after))
        self._api = ApiServer(self.store, writing, PodParts(self.store, self._pods), self._access, self._who)
        language = KubernetesLanguage(lambda token: self._who(token) is not None)
        self._door = FrontDoor(self._api, language, ground.ledger)
        self._connections = Connections()
        self._server: BaseWSGIServer | None = None

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        connection: socket.socket = environ["werkzeug.socket"]
        if self._connections.are_refused(connection):
            raise cut(connection)
        yield from self._connections.held(connection, lambda: self._door(environ, start))

    def start(self) -> None:
        """Make what every cluster has, and begin to act."""
        self._furnish()
        self._loop.start()

    def listen(self, address: str, port: int) -> None:
        """Answer over HTTPS. Raises OSError where the address cannot be listened on."""
        self._server = listening(address, port, self, self._ground.authority.context(address))
        serve(self._server)

    def stop(self) -> None:
        """End it and all that runs in it; returns once it is gone."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        self._loop.stop()
        self._connections.cut_all()
        self._close()

    def reset(self) -> None:
        """As new: nobody has made anything."""
        with self._loop.turn:
            self.store.clear()
            self._close()
            self._api.lacking = frozenset()
            self._furnish()

    def expire(self) -> None:
        """Forget what has changed: every watch ends with 410, and none can go on where it was."""
        self.store.expire()

    def restart(self, seconds: float) -> None:
        """The API server goes away: its connections break, and for a while it answers nobody."""
        self._connections.refuse(seconds)

    def lack(self, group: str) -> None:
        """Know nothing of an API group, until it is reset."""
        self._api.lacking |= {group}

    def balancers(self) -> Sequence[Balancer]:
        """The load balancers that there are."""
        return self._services.balancers

    def contents(self) -> Iterator[Thing]:
        """What somebody has made, and what is left of it; what every cluster has, and what follows, is left out."""
        for key, document in self.store.every():
            if not is_furniture(key, document):
                name = f"{key.namespace}/{key.name}" if key.namespace else key.name
                yield Thing(key.resource.name, name, dict(labels_of(document)))

    def _who(self, token: str) -> User | None:
        return MASTER if self._knows(token) else self._access.owner(token)

    def _close(self) -> None:
        """Nothing in it runs or answers any more."""
        for each in (*self._edges, self._services, self._pods):
            each.close()

    def _furnish(self) -> None:
        furnish(self.store)
        register(self.store, self._nodes)


def _pod_ground(ground: Ground, store: Store, login: Login) -> PodGround:
    recorder, folder = Recorder(store, "kubelet"), ground.authority.bundle.parent / "pods"
    return PodGround(store, ground.host, recorder, login, ground.name, ground.pace, ground.real, folder)


def _controllers(ground: Ground, store: Store, writing: Writing) -> tuple[Sequence[Controller], Sequence[Controller]]:
    """Those that have nothing of their own to end, before and after those that have."""
    before = (
        NamespaceController(store, ground.authority.pem.decode(), ground.pace),
        GarbageCollector(store),
        Autoscaling(store, writing),
        DeploymentController(store, writing),
        ReplicaSetController(store, writing),
    )
    return before, (Budgets(store), Quotas(store))


class Connections:
    """Those that are open, so that they can be broken."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._open: set[socket.socket] = set()
        self._until = 0.0

    def are_refused(self, connection: socket.socket) -> bool:
        return time.monotonic() < self._until

    def held(self, connection: socket.socket, answer: Callable[[], Iterable[bytes]]) -> Iterator[bytes]:
        """An answer, whose connection is known as long as it lasts."""
        with self._mutex:
            self._open.add(connection)
        try:
            yield from answer()
        finally:
            with self._mutex:
                self._open.discard(connection)

    def refuse(self, seconds: float) -> None:
        """Break all, and every new one for so long."""
        self._until = time.monotonic() + seconds
        self.cut_all()

    def cut_all(self) -> None:
        with self._mutex:
            found = list(self._open)
        for each in found:
            cut(each)
