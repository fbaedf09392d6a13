"""Resource providers: a subscription knows a kind of resource only once its provider is registered.

https://learn.microsoft.com/azure/azure-resource-manager/management/resource-providers-and-types
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.providers.azure.answers import speaking
from mldeploy.providers.azure.cloud import AzureClients, AzureCloud
from mldeploy.providers.azure.errors import AzureError

REGISTRIES = "Microsoft.ContainerRegistry"
IDENTITIES = "Microsoft.ManagedIdentity"
SITES = "Microsoft.Web"
INSIGHTS = "Microsoft.Insights"

REGISTERED_SECONDS = 600.0
LOOK_EVERY = 1.0


@speaking
@dataclass(frozen=True, eq=False)
class ResourceProvider(Step[AzureCloud, None]):
    """The subscription's, whoever has registered it: it costs nothing, and it stays."""

    kind: ClassVar[str] = "resource-provider"
    title: ClassVar[str] = "Register the resource provider"
    stays: ClassVar[bool] = True

    namespace: str

    def key(self) -> Key:
        return Key(self.namespace)

    def probe(self, cloud: AzureCloud, outs: Outputs) -> Seen[None] | None:
        return Seen(None, ours=False) if is_registered(cloud, self.namespace) else None

    def apply(self, cloud: AzureCloud, outs: Outputs, seen: Seen[None] | None, monitor: Monitor) -> None:
        cloud.resources.providers.register(self.namespace)
        for _ in monitor.attempts(every=LOOK_EVERY, within=REGISTERED_SECONDS):
            if is_registered(cloud, self.namespace):
                return
            monitor.progress(Progress("", f"waiting until {self.namespace} is registered everywhere"))
        what = f"is not registered after {REGISTERED_SECONDS:.0f} s"
        raise AzureError(self.namespace, what, "Run the command again a little later.")

    @staticmethod
    def undo(cloud: AzureCloud, key: Key, monitor: Monitor) -> bool:
        """Others in the subscription may count on it."""
        return False


def is_registered(cloud: AzureClients, namespace: str) -> bool:
    return cloud.resources.providers.get(namespace).registration_state == "Registered"
