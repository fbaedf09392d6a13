"""The one thing that the app's identity may do: pull from this registry.

Role assignments bear no tags; their description says whose they are, from the call that makes them.
https://learn.microsoft.com/azure/role-based-access-control/role-assignments-rest
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from azure.core.exceptions import HttpResponseError, ResourceExistsError
from azure.mgmt.authorization.v2022_04_01.models import RoleAssignment, RoleAssignmentCreateParameters

from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.providers.azure import registry
from mldeploy.providers.azure.answers import speaking
from mldeploy.providers.azure.errors import AzureError, code_of, found
from mldeploy.providers.azure.registry import ContainerRegistry
from mldeploy.providers.azure.webapp.cloud import WebappCloud
from mldeploy.providers.azure.webapp.identity import Identity, ManagedIdentity
from mldeploy.providers.azure.webapp.tags import belonging

ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
"""https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/containers"""
KNOWN_SECONDS = 180.0
"""So long a new identity may be unknown to those who keep the roles."""
LOOK_EVERY = 2.0


@speaking
@dataclass(frozen=True, eq=False)
class PullRole(Step[WebappCloud, str]):
    """AcrPull, on the registry alone. Its output is the assignment's id; one that somebody else made does as well."""

    kind: ClassVar[str] = "pull-role"
    title: ClassVar[str] = "Allow the app to pull"

    identity: ManagedIdentity
    registry: ContainerRegistry

    def key(self) -> Key:
        return key_for(self.registry.key())

    def probe(self, cloud: WebappCloud, outs: Outputs) -> Seen[str] | None:
        identity, there = outs.get(self.identity), outs.get(self.registry)
        if identity is None or there is None:
            return None
        suits = [each for each in _assigned(cloud, there.id) if _lets_pull(each, identity)]
        mine = next((each for each in suits if _is_ours(each, cloud.app)), None)
        chosen = mine or next(iter(suits), None)
        return Seen(str(chosen.id), ours=mine is not None) if chosen else None

    def apply(self, cloud: WebappCloud, outs: Outputs, seen: Seen[str] | None, monitor: Monitor) -> str:
        identity, scope = outs[self.identity], outs[self.registry].id
        name = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{scope}/{identity.principal}".lower()))
        wanted = RoleAssignmentCreateParameters(
            role_definition_id=f"{cloud.account.scope}/providers/Microsoft.Authorization/roleDefinitions/{ACR_PULL}",
            principal_id=identity.principal,
            principal_type="ServicePrincipal",
            description=_description(cloud.app),
        )
        for _ in monitor.attempts(every=LOOK_EVERY, within=KNOWN_SECONDS):
            try:
                return str(cloud.roles.role_assignments.create(scope, name, wanted).id)
            except ResourceExistsError as error:
                if code_of(error) != "RoleAssignmentExists":
                    raise
                return f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}"
            except HttpResponseError as error:
                if code_of(error) != "PrincipalNotFound":
                    raise
                monitor.progress(Progress("", "waiting until the new identity is known everywhere"))
        todo = "Run the command again a little later."
        raise AzureError(identity.id, f"is not known to the directory after {KNOWN_SECONDS:.0f} s", todo)

    @staticmethod
    def undo(cloud: WebappCloud, key: Key, monitor: Monitor) -> bool:
        there = registry.at(cloud, Key(key.scope[-1], key.scope[:-1]))
        mine = [each for each in _assigned(cloud, there.id) if _is_ours(each, cloud.app)] if there else []
        for each in mine:
            cloud.roles.role_assignments.delete_by_id(str(each.id))
        return bool(mine)


def key_for(registry_key: Key) -> Key:
    """What the assignment on this registry is called."""
    return Key("AcrPull", (*registry_key.scope, registry_key.name))


def is_there(cloud: WebappCloud, registry_key: Key) -> bool:
    """The app may pull from this registry, by our doing."""
    there = registry.at(cloud, registry_key)
    return there is not None and any(_is_ours(each, cloud.app) for each in _assigned(cloud, there.id))


def _assigned(cloud: WebappCloud, scope: str) -> Iterator[RoleAssignment]:
    """What is assigned on the registry, and on all that it is in. A registry that is going has none."""
    listed = found(lambda: list(cloud.roles.role_assignments.list_for_scope(scope, filter="atScope()")))
    yield from listed or ()


def _lets_pull(assignment: RoleAssignment, identity: Identity) -> bool:
    role = (assignment.role_definition_id or "").rpartition("/")[2].lower()
    return assignment.principal_id == identity.principal and role == ACR_PULL


def _is_ours(assignment: RoleAssignment, app: str) -> bool:
    return assignment.description == _description(app)


def _description(app: str) -> str:
    return " ".join(f"{name}={value}" for name, value in belonging(app).items())
