"""What all sites of a rehearsal have in common."""

from __future__ import annotations

from dataclasses import dataclass

from mldeploy.rehearsal.azure.arm.account import Account
from mldeploy.rehearsal.azure.shelf import Shelf
from mldeploy.rehearsal.azure.sites.front import Fronts
from mldeploy.rehearsal.containers.host import Host
from mldeploy.rehearsal.tokens import Tokens


@dataclass(frozen=True)
class Stage:
    """name: the value of the label on every container."""

    name: str
    account: Account
    host: Host
    shelf: Shelf
    tokens: Tokens
    fronts: Fronts

    @property
    def pace(self) -> float:
        """Seconds that each phase of a start takes at least."""
        return self.account.pace
