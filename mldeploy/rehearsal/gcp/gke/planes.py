"""Clusters that are the Kubernetes stand-in's, in this process, each at an address of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mldeploy.rehearsal.door.interface import Thing
from mldeploy.rehearsal.door.ledger import Ledger
from mldeploy.rehearsal.gcp.gke.plane import Balancer, Plane, Wanted
from mldeploy.rehearsal.gcp.tokens import Tokens

if TYPE_CHECKING:
    from mldeploy.rehearsal.gcp.cloud import Ground


class KubernetesPlanes:
    """`mldeploy.rehearsal.gcp.gke.plane.Planes`."""

    def __init__(self, ground: Ground, tokens: Tokens, ledger: Ledger) -> None:
        self._ground = ground
        self._tokens = tokens
        self._ledger = ledger

    @property
    def authority(self) -> bytes:
        return self._ground.authority.pem

    def start(self, wanted: Wanted) -> Plane:
        return _Silent()


class _Silent:
    """No API answers yet."""

    def stop(self) -> None:
        pass

    def contents(self) -> Iterable[Thing]:
        return ()

    def balancers(self) -> Iterable[Balancer]:
        return ()
