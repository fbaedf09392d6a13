"""What the parts of the simulated Container Apps share: the account, the container host, and where apps answer."""

from __future__ import annotations

from dataclasses import dataclass

from mldeploy.rehearsal.azure.arm.state import SubscriptionState
from mldeploy.rehearsal.azure.keyvault.vaults import KeyVaults
from mldeploy.rehearsal.azure.registry_hosts import RegistryHosts
from mldeploy.rehearsal.azure.sites.front_end import SiteAddressPool
from mldeploy.rehearsal.containers.host import ContainerHost, PublicAddressPool
from mldeploy.rehearsal.gateway.serving import Authority
from mldeploy.rehearsal.tokens import TokenSigner

SPEEDUP, MIN_LIMIT = 16, 60
"""A rehearsal divides Azure's time limits by the first number, down to the second number of seconds."""


@dataclass(frozen=True)
class ContainerAppsContext:
    """name: the value of the rehearsal's label on every container. url: the stand-in's own URL.

    addresses: where apps and revisions answer. public, authority: for the static IP addresses of environments.
    vaults: for secrets by reference.
    """

    name: str
    url: str
    account: SubscriptionState
    host: ContainerHost
    registry_hosts: RegistryHosts
    tokens: TokenSigner
    addresses: SiteAddressPool
    public: PublicAddressPool
    authority: Authority
    vaults: KeyVaults

    @property
    def pace(self) -> float:
        """Seconds that each phase of a start takes at least."""
        return self.account.pace


def shorten_limit(seconds: float, pace: float) -> float:
    """Return a time limit of Azure's as the rehearsal applies it."""
    return min(seconds, max(MIN_LIMIT, seconds / SPEEDUP * max(pace, 1)))
