"""Role assignments on a resource: listed, created, and recognized as the app's own.

They have no tags; their description names the owner.
https://learn.microsoft.com/azure/role-based-access-control/role-assignments-rest
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from azure.core.exceptions import HttpResponseError, ResourceExistsError
from azure.mgmt.authorization.v2022_04_01.models import RoleAssignment, RoleAssignmentCreateParameters

from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.providers.azure.errors import AzureError, error_code, ignore_not_found

if TYPE_CHECKING:
    from mldeploy.providers.azure.identity import IdentityCloud

KNOWN_SECONDS = 180.0
"""Time for a new identity to reach the role assignment service."""
LOOK_EVERY = 1.0
ROLE_SECONDS = 600.0
"""Time for a new role assignment to take effect.

https://learn.microsoft.com/azure/role-based-access-control/troubleshooting
"""


@dataclass(frozen=True)
class RoleGrant:
    """A role of a principal on a resource. scope: the resource's id. role: the id of a built-in role.

    kind: of the principal ("ServicePrincipal", "User"). seed: what the assignment's name
    follows from, so that a repeated request creates no second one.
    """

    scope: str
    role: str
    principal: str
    kind: str
    seed: str

    @property
    def name(self) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, self.seed.lower()))


def assign_role(cloud: IdentityCloud, grant: RoleGrant, monitor: Monitor) -> str:
    """Create the assignment and return its id. Safe to repeat. Raises SDK errors.

    Raises AzureError if the directory does not know the principal for KNOWN_SECONDS.
    """
    parameters = RoleAssignmentCreateParameters(
        role_definition_id=f"{cloud.account.scope}/providers/Microsoft.Authorization/roleDefinitions/{grant.role}",
        principal_id=grant.principal,
        principal_type=grant.kind,
        description=_description(cloud),
    )
    for _ in monitor.attempts(every=LOOK_EVERY, within=KNOWN_SECONDS):
        try:
            return str(cloud.roles.role_assignments.create(grant.scope, grant.name, parameters).id)
        except ResourceExistsError as error:
            if error_code(error) != "RoleAssignmentExists":
                raise
            return f"{grant.scope}/providers/Microsoft.Authorization/roleAssignments/{grant.name}"
        except HttpResponseError as error:
            if error_code(error) != "PrincipalNotFound":
                raise
            monitor.progress(Progress("", "waiting until the new identity is replicated"))
    todo = "Run the command again later."
    raise AzureError(grant.principal, f"is not known to the directory after {KNOWN_SECONDS:.0f} s", todo)


def list_assignments(cloud: IdentityCloud, scope: str) -> Iterator[RoleAssignment]:
    """Assignments on the resource and its parent scopes; empty if it is being deleted."""
    listed = ignore_not_found(lambda: list(cloud.roles.role_assignments.list_for_scope(scope, filter="atScope()")))
    yield from listed or ()


def grants_role(assignment: RoleAssignment, role: str, principal: str) -> bool:
    definition = (assignment.role_definition_id or "").rpartition("/")[2].lower()
    return assignment.principal_id == principal and definition == role


def is_own_assignment(assignment: RoleAssignment, cloud: IdentityCloud) -> bool:
    return assignment.description == _description(cloud)


def _description(cloud: IdentityCloud) -> str:
    return " ".join(f"{name}={value}" for name, value in cloud.owner_tags.items())
