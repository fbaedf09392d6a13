"""What stands behind a cluster: its API server, and what runs there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from mldeploy.rehearsal.door.interface import Thing


@dataclass(frozen=True)
class Balancer:
    """A Service of type LoadBalancer that has an address. uid: its own. service: `namespace/name`."""

    uid: str
    service: str
    address: str
    port: int


@dataclass(frozen=True)
class Wanted:
    """What a plane is to be. address: where its API answers. account: the service account of its nodes.

    cpus, gigabytes: what pods can have of a node.
    """

    cluster: str
    address: str
    account: str
    nodes: int
    cpus: int
    gigabytes: int


class Plane(Protocol):
    """A Kubernetes cluster that answers."""

    def stop(self) -> None:
        """End it and all that runs in it, and return once it is gone."""

    def contents(self) -> Iterable[Thing]:
        """What somebody has made in it."""

    def balancers(self) -> Iterable[Balancer]:
        """Those that there are."""


class Planes(Protocol):
    """Makes them."""

    @property
    def authority(self) -> bytes:
        """The certificate, in PEM, of who vouches for their API servers."""

    def start(self, wanted: Wanted) -> Plane:
        """It answers once this returns. Raises OSError where its address cannot be listened on."""
