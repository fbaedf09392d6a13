"""Clusters that are the Kubernetes stand-in's, in this process, each at an address of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mldeploy.rehearsal.door.interface import Thing
from mldeploy.rehearsal.door.ledger import Ledger
from mldeploy.rehearsal.gcp.artifacts.registry import USER
from mldeploy.rehearsal.gcp.gke.plane import Balancer, Plane, Wanted
from mldeploy.rehearsal.gcp.project import PROJECT
from mldeploy.rehearsal.gcp.tokens import Tokens
from mldeploy.rehearsal.kubernetes.cluster import Cluster
from mldeploy.rehearsal.kubernetes.cluster import Ground as ClusterGround
from mldeploy.rehearsal.kubernetes.kubelet.images import Login
from mldeploy.rehearsal.kubernetes.kubelet.nodes import Node

if TYPE_CHECKING:
    from mldeploy.rehearsal.gcp.cloud import Ground

HTTPS = 443


class KubernetesPlanes:
    """`mldeploy.rehearsal.gcp.gke.plane.Planes`. Their callers show Google's access tokens."""

    def __init__(self, ground: Ground, tokens: Tokens, ledger: Ledger) -> None:
        self._ground = ground
        self._tokens = tokens
        self._ledger = ledger

    @property
    def authority(self) -> bytes:
        return self._ground.authority.pem

    def start(self, wanted: Wanted) -> Plane:
        ground = self._ground
        stands_on = ClusterGround(
            ground.name, ground.host, ground.public, ground.authority, self._ledger, ground.pace, ground.real
        )
        names = (f"gke-{wanted.cluster}-{number}" for number in range(1, wanted.nodes + 1))
        nodes = [Node(name, wanted.cpus, wanted.gigabytes) for name in names]
        cluster = Cluster(stands_on, self._knows, login=self._login(wanted.account), nodes=nodes)
        try:
            cluster.listen(wanted.address, HTTPS)
        except OSError:
            cluster.stop()
            raise
        cluster.start()
        return _Plane(cluster)

    def _knows(self, token: str) -> bool:
        return self._tokens.account(token) == PROJECT.account

    def _login(self, account: str) -> Login:
        """With what nodes pull from the project's registry: their service account's own token, fetched each time."""

        def login(image: str) -> tuple[str, str] | None:
            return (USER, self._tokens.of(account).text) if image.startswith(f"{self._ground.address}/") else None

        return login


class _Plane:
    """`mldeploy.rehearsal.gcp.gke.plane.Plane`."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def stop(self) -> None:
        self._cluster.stop()

    def contents(self) -> Iterable[Thing]:
        for thing in self._cluster.contents():
            yield Thing(f"kubernetes:{thing.kind}", thing.name, thing.tags)

    def balancers(self) -> Iterable[Balancer]:
        for each in self._cluster.balancers():
            yield Balancer(each.uid, each.service, each.address, each.port)
