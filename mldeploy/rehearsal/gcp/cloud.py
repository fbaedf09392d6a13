"""All parts of the stand-in, put together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mldeploy.rehearsal.containers.network import Addresses
from mldeploy.rehearsal.door.control import Control
from mldeploy.rehearsal.door.frontdoor import FrontDoor
from mldeploy.rehearsal.door.ledger import Ledger
from mldeploy.rehearsal.gcp import contents
from mldeploy.rehearsal.gcp.artifacts.registry import Bearers, Known, TokenDoor
from mldeploy.rehearsal.gcp.artifacts.repositories import Repositories
from mldeploy.rehearsal.gcp.compute.quotas import Quotas
from mldeploy.rehearsal.gcp.compute.rest import Compute
from mldeploy.rehearsal.gcp.gke.clusters import Clusters
from mldeploy.rehearsal.gcp.gke.operations import Failure, Operations
from mldeploy.rehearsal.gcp.gke.planes import KubernetesPlanes
from mldeploy.rehearsal.gcp.language import Gate
from mldeploy.rehearsal.gcp.later import Later
from mldeploy.rehearsal.gcp.longrunning import LongRunning
from mldeploy.rehearsal.gcp.project import PROJECT
from mldeploy.rehearsal.gcp.resources import ResourceManager
from mldeploy.rehearsal.gcp.rest import TOKEN_PATH, GoogleLanguage, Https
from mldeploy.rehearsal.gcp.rpc.door import GrpcDoor
from mldeploy.rehearsal.gcp.services import Services
from mldeploy.rehearsal.gcp.tokens import Tokens
from mldeploy.rehearsal.registry.door import RegistryDoor

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

    from mldeploy.rehearsal.containers.host import Host
    from mldeploy.rehearsal.door.authority import Authority
    from mldeploy.rehearsal.registry.program import RegistryProgram


@dataclass(frozen=True)
class Ground:
    """What it stands on. name: of the rehearsal. url: the front door's. address: HOST:PORT of the registry's door.

    real: what the host starts are containers.
    """

    name: str
    pace: float
    host: Host
    real: bool
    public: Addresses
    authority: Authority
    registry: RegistryProgram
    url: str
    address: str


class Cloud:
    """Everything but the servers."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._mutex = threading.RLock()
        self._ledger = Ledger()
        self._later = Later(ground.pace)
        self.tokens = Tokens(PROJECT, f"{ground.url}{TOKEN_PATH}")
        self._long = LongRunning(self._later)
        self._services = Services(PROJECT, self._later, self._long)
        self._quotas = Quotas(PROJECT.id)
        self._operations = Operations(PROJECT, self._later)
        self._gate = Gate(PROJECT, self.tokens, self._services)
        self._repositories = Repositories(PROJECT, self._later, self._long, ground.address, ground.registry.forget)
        planes = KubernetesPlanes(ground, self.tokens, self._ledger)
        self._clusters = Clusters(
            PROJECT, self._operations, self._quotas, planes, ground.public, self._services.require
        )
        self._bearers = Bearers(PROJECT, self.tokens, self._repositories, ground.address)
        self._door = RegistryDoor(ground.registry.url, Known(self._repositories), self._bearers)

    @property
    def registry_door(self) -> TokenDoor:
        """The WSGI application of the registry."""
        return TokenDoor(self._door, self._bearers)

    def grpc(self, cut: Callable[[str], None]) -> GrpcDoor:
        """What answers gRPC. cut: breaks a peer's connection."""
        parts = (self._long, self._services, self._operations, self._repositories, self._clusters)
        methods = {name: method for part in parts for name, method in part.methods.items()}
        return GrpcDoor(methods, self._gate, self._ledger, self._mutex, cut)

    def control(self, token: str) -> Control:
        """The WSGI application of the front door. token: what its own interface asks for."""
        clusters = self._clusters
        compute = Compute(PROJECT, self._gate, self._quotas, clusters.pieces, clusters.used, clusters.clear)
        https = Https(self.tokens, compute, ResourceManager(PROJECT, self._gate))
        front = FrontDoor(https, GoogleLanguage(self._gate), self._ledger)
        return Control(
            front,
            self._ledger,
            self._door,
            token,
            lambda: contents.listed(self._repositories, clusters),
            self.reset,
            self._orders,
        )

    def reset(self) -> None:
        """A new project. Its tokens stay good."""
        self._later.forget()
        with self._mutex:
            for part in (
                self._clusters,
                self._repositories,
                self._operations,
                self._long,
                self._services,
                self._quotas,
            ):
                part.reset()
        self._ground.registry.forget()

    def close(self) -> None:
        """End what goes on."""
        self._later.forget()
        self._clusters.reset()

    @property
    def _orders(self) -> Mapping[str, Callable[[Request], object]]:
        return {
            "POST failures": lambda request: self._operations.order(Failure(**request.get_json())),
            "POST quotas": lambda request: self._quotas.limit(**request.get_json()),
            "DELETE tokens": lambda _: self.tokens.expire(),
        }
