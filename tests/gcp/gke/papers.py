"""Google Cloud in this process, whose clusters are on paper: API servers over real sockets, without an engine."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from mldeploy.rehearsal.containers.network import Forwarder
from mldeploy.rehearsal.door.authority import Authority
from mldeploy.rehearsal.door.interface import Thing
from mldeploy.rehearsal.door.ledger import Ledger
from mldeploy.rehearsal.door.serving import listening, serve
from mldeploy.rehearsal.gcp import GcpRehearsal
from mldeploy.rehearsal.gcp.cloud import Ground
from mldeploy.rehearsal.gcp.gke.plane import Balancer, Plane, Wanted
from mldeploy.rehearsal.gcp.server import opened
from mldeploy.rehearsal.gcp.tokens import Tokens
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.store import Store
from mldeploy.rehearsal.process import Options
from tests.kubernetes.paper.channels import App
from tests.kubernetes.paper.controllers import Controllers
from tests.kubernetes.paper.server import Paper, _Door, _Words
from tests.kubernetes.stage import MADE

HTTP, HTTPS = 80, 443


class Live(Container[str]):
    """The access tokens that are good."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def __contains__(self, text: object) -> bool:
        return bool(self._tokens.account(str(text)))


class PaperCluster(Paper):
    """A cluster's API at the address that Google gives it; every load balancer answers at one other address."""

    def __init__(self, wanted: Wanted, ground: Ground, tokens: Tokens, ledger: Ledger) -> None:
        self.store, self.app, self.ledger = Store(), App(), ledger
        self.controllers = Controllers(self.store)
        self.tokens = Live(tokens)  # type: ignore[assignment]  # they are only looked up
        self._authority: Authority = ground.authority
        self._address, self._public = wanted.address, ground.public
        self._door = _Door(self._answer, _Words(self), ledger)
        self.controllers.address = ground.public.take()
        self._way = Forwarder((self.controllers.address, HTTP), lambda: ("127.0.0.1", self.app.port))
        self.up()

    def up(self) -> None:
        self._server = listening(self._address, HTTPS, self._door, self._authority.context(self._address))
        serve(self._server)

    def stop(self) -> None:
        """`mldeploy.rehearsal.gcp.gke.plane.Plane`."""
        self.close()
        self._way.close()
        self._public.give_back(self.controllers.address)

    def contents(self) -> Iterable[Thing]:
        for key, found in self.store.every():
            if key.resource in MADE:
                labels = found["metadata"].get("labels", {})
                yield Thing(f"kubernetes:{key.resource.name}", f"{key.namespace}/{key.name}", labels)

    def balancers(self) -> Iterable[Balancer]:
        for service in self.store.list(kinds.SERVICES):
            for each in service.get("status", {}).get("loadBalancer", {}).get("ingress", ()):
                metadata = service["metadata"]
                yield Balancer(metadata["uid"], f"{metadata['namespace']}/{metadata['name']}", each["ip"], HTTP)


class PaperPlanes:
    """`mldeploy.rehearsal.gcp.gke.plane.Planes`."""

    def __init__(self, ground: Ground, tokens: Tokens, ledger: Ledger) -> None:
        self._given = ground, tokens, ledger

    @property
    def authority(self) -> bytes:
        return self._given[0].authority.pem

    def start(self, wanted: Wanted) -> Plane:
        return PaperCluster(wanted, *self._given)


@contextmanager
def on_paper(folder: Path) -> Iterator[GcpRehearsal]:
    """A rehearsal that lives in this process."""
    folder.mkdir(parents=True)
    with ExitStack() as stack:
        yield GcpRehearsal(opened(Options(folder, 0.0, False, True), stack, PaperPlanes))
