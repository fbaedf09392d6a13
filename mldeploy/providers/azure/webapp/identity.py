"""The identity that the web app pulls its image with, and reads secrets with. It is the app's alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from azure.mgmt.msi.v2024_11_30.models import Identity as IdentityModel

from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.providers.azure.answers import speaking
from mldeploy.providers.azure.errors import found
from mldeploy.providers.azure.group import ResourceGroup
from mldeploy.providers.azure.resource_provider import ResourceProvider
from mldeploy.providers.azure.tags import name
from mldeploy.providers.azure.waiting import until_gone
from mldeploy.providers.azure.webapp.cloud import WebappCloud
from mldeploy.providers.azure.webapp.tags import belonging, is_ours


@dataclass(frozen=True)
class Identity:
    """id: its resource's. client: what the site is told. principal: what roles are assigned to."""

    id: str
    client: str
    principal: str


@speaking
@dataclass(frozen=True, eq=False)
class ManagedIdentity(Step[WebappCloud, Identity]):
    """A user-assigned identity: it is there, and may pull, before the site first tries to."""

    kind: ClassVar[str] = "managed-identity"
    title: ClassVar[str] = "Create the identity"

    app: str
    provider: ResourceProvider
    group: ResourceGroup

    def key(self) -> Key:
        return Key(name(self.app), (self.group.name,))

    def probe(self, cloud: WebappCloud, outs: Outputs) -> Seen[Identity] | None:
        there = _get(cloud, self.key())
        return Seen(_read(there), ours=is_ours(there.tags, cloud.app)) if there else None

    def apply(self, cloud: WebappCloud, outs: Outputs, seen: Seen[Identity] | None, monitor: Monitor) -> Identity:
        wanted = IdentityModel(location=outs[self.group].region, tags=belonging(cloud.app))
        made = cloud.identities.user_assigned_identities.create_or_update(self.group.name, self.key().name, wanted)
        return _read(made)

    @staticmethod
    def undo(cloud: WebappCloud, key: Key, monitor: Monitor) -> bool:
        if not is_there(cloud, key):
            return False
        found(partial(cloud.identities.user_assigned_identities.delete, key.scope[0], key.name))
        until_gone(monitor, key.name, lambda: _get(cloud, key) is None)
        return True


def is_there(cloud: WebappCloud, key: Key) -> bool:
    """The app has this identity."""
    there = _get(cloud, key)
    return there is not None and is_ours(there.tags, cloud.app)


def _get(cloud: WebappCloud, key: Key) -> IdentityModel | None:
    identity: IdentityModel | None = found(
        partial(cloud.identities.user_assigned_identities.get, key.scope[0], key.name)
    )
    return identity


def _read(there: IdentityModel) -> Identity:
    return Identity(str(there.id), str(there.client_id), str(there.principal_id))
