"""The managed identity of an app, and its role assignment to pull from the registry: for every target that runs apps.

Role assignments have no tags; their description names the owner.
https://learn.microsoft.com/azure/role-based-access-control/role-assignments-rest
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.keyvault import KeyVaultManagementClient
from azure.mgmt.msi import ManagedServiceIdentityClient
from azure.mgmt.msi.v2024_11_30.models import Identity as IdentityModel

from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.providers.azure import registry
from mldeploy.providers.azure.cloud import AzureCloud
from mldeploy.providers.azure.errors import ignore_not_found, translate_errors
from mldeploy.providers.azure.group import ResourceGroup, ResourceProvider
from mldeploy.providers.azure.registry import ContainerRegistry
from mldeploy.providers.azure.registry_client import ContainerRegistryInfo
from mldeploy.providers.azure.role_assignments import (
    RoleGrant,
    assign_role,
    grants_role,
    is_own_assignment,
    list_assignments,
)
from mldeploy.providers.azure.tags import missing_tags, owner_tags
from mldeploy.providers.azure.waiting import wait_until_gone
from mldeploy.providers.errors import AbsentError


@dataclass(frozen=True)
class IdentityCloud(AzureCloud):
    """The clients for an identity, its roles and its key vault. target: whose owner tags its resources have."""

    target: ClassVar[str]

    identities: ManagedServiceIdentityClient
    roles: AuthorizationManagementClient
    vaults: KeyVaultManagementClient

    @property
    def owner_tags(self) -> dict[str, str]:
        """The owner tags of the target's resources."""
        return owner_tags(self.app, self.target)

    def owns(self, tags: Mapping[str, str] | None) -> bool:
        """Whether the tags say that the app owns the resource on this target."""
        return not missing_tags(tags, self.app, self.target)


@dataclass(frozen=True)
class IdentityInfo:
    """id: the resource id. client: the client id. principal: the principal id, for role assignments."""

    id: str
    client: str
    principal: str


@translate_errors
@dataclass(frozen=True, eq=False)
class ManagedIdentity(Step[IdentityCloud, IdentityInfo]):
    """A user-assigned identity, so that it may pull before the app first starts.

    existing: it is one of others that the settings name; it is used unchanged, and never created.
    """

    kind: ClassVar[str] = "managed-identity"
    title: ClassVar[str] = "Create the identity"

    name: str
    provider: ResourceProvider
    group: ResourceGroup
    existing: str = ""
    """The resource id in the settings; empty for an identity of the app's own."""

    def key(self) -> Key:
        return parse_identity_id(self.existing) if self.existing else Key(self.name, (self.group.name,))

    def probe(self, cloud: IdentityCloud, outs: Outputs) -> Seen[IdentityInfo] | None:
        existing = _get_identity(cloud, self.key())
        return Seen(_parse_identity(existing), ours=cloud.owns(existing.tags)) if existing else None

    def apply(
        self, cloud: IdentityCloud, outs: Outputs, seen: Seen[IdentityInfo] | None, monitor: Monitor
    ) -> IdentityInfo:
        """Raises AbsentError if the identity that the settings name does not exist."""
        if self.existing:
            todo = f"Correct `identity` in [{cloud.account.table}], or remove the key: mldeploy then creates one."
            raise AbsentError(f"identity {self.existing}", "does not exist", todo)
        parameters = IdentityModel(location=outs[self.group].region, tags=cloud.owner_tags)
        created = cloud.identities.user_assigned_identities.create_or_update(
            self.group.name, self.key().name, parameters
        )
        return _parse_identity(created)

    @staticmethod
    def undo(cloud: IdentityCloud, key: Key, monitor: Monitor) -> bool:
        if not identity_exists(cloud, key):
            return False
        ignore_not_found(partial(cloud.identities.user_assigned_identities.delete, key.scope[0], key.name))
        wait_until_gone(monitor, key.name, lambda: _get_identity(cloud, key) is None)
        return True


def parse_identity_id(resource_id: str) -> Key:
    """The key of an identity, from its resource id."""
    parts = resource_id.split("/")
    return Key(parts[8], (parts[4],))


def identity_exists(cloud: IdentityCloud, key: Key) -> bool:
    """Whether the app owns this identity."""
    existing = _get_identity(cloud, key)
    return existing is not None and cloud.owns(existing.tags)


def _get_identity(cloud: IdentityCloud, key: Key) -> IdentityModel | None:
    identity: IdentityModel | None = ignore_not_found(
        partial(cloud.identities.user_assigned_identities.get, key.scope[0], key.name)
    )
    return identity


def _parse_identity(existing: IdentityModel) -> IdentityInfo:
    return IdentityInfo(str(existing.id), str(existing.client_id), str(existing.principal_id))


ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
REPOSITORY_READER = "b93aa761-3e63-49ed-ac28-beffa264f7ac"
"""The role that pulls from a registry with the ABAC mode, where AcrPull does not count.

https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/containers
"""


@translate_errors
@dataclass(frozen=True, eq=False)
class PullRole(Step[IdentityCloud, str]):
    """The role to pull from the registry. Its output is the assignment's id. One assigned by others is used."""

    kind: ClassVar[str] = "pull-role"
    title: ClassVar[str] = "Allow the app to pull"

    identity: ManagedIdentity
    registry: ContainerRegistry

    def key(self) -> Key:
        return role_key(self.registry.key())

    def probe(self, cloud: IdentityCloud, outs: Outputs) -> Seen[str] | None:
        identity, existing = outs.get(self.identity), outs.get(self.registry)
        if identity is None or existing is None:
            return None
        listed, role = list_assignments(cloud, existing.id), pull_role(existing)
        candidates = [each for each in listed if grants_role(each, role, identity.principal)]
        owned = next((each for each in candidates if is_own_assignment(each, cloud)), None)
        chosen = owned or next(iter(candidates), None)
        return Seen(str(chosen.id), ours=owned is not None) if chosen else None

    def apply(self, cloud: IdentityCloud, outs: Outputs, seen: Seen[str] | None, monitor: Monitor) -> str:
        identity, scope, role = outs[self.identity], outs[self.registry].id, pull_role(outs[self.registry])
        mode = "" if role == ACR_PULL else f"/{role}"
        seed = f"{scope}/{identity.principal}{mode}"
        return assign_role(cloud, RoleGrant(scope, role, identity.principal, "ServicePrincipal", seed), monitor)

    @staticmethod
    def undo(cloud: IdentityCloud, key: Key, monitor: Monitor) -> bool:
        existing = registry.get_registry(cloud, Key(key.scope[-1], key.scope[:-1]))
        owned = (
            [each for each in list_assignments(cloud, existing.id) if is_own_assignment(each, cloud)]
            if existing
            else []
        )
        for each in owned:
            cloud.roles.role_assignments.delete_by_id(str(each.id))
        return bool(owned)


def role_key(registry_key: Key) -> Key:
    """The key of the assignment on this registry."""
    return Key("AcrPull", (*registry_key.scope, registry_key.name))


def role_exists(cloud: IdentityCloud, registry_key: Key) -> bool:
    """Whether the app owns an assignment on this registry."""
    existing = registry.get_registry(cloud, registry_key)
    return existing is not None and any(is_own_assignment(each, cloud) for each in list_assignments(cloud, existing.id))


def pull_role(existing: ContainerRegistryInfo) -> str:
    """The built-in role that counts in this registry."""
    return REPOSITORY_READER if existing.abac else ACR_PULL
