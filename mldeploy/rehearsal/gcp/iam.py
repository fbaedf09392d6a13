"""The permissions of the rehearsal's account, and the roles of the project's service accounts.

https://cloud.google.com/iam/docs/overview
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mldeploy.rehearsal.gcp.errors import ApiError, Code, permission_denied
from mldeploy.rehearsal.gcp.project import StandInProject

USE_SERVICES = "serviceusage.services.use"


class ProjectIam:
    """Who may do what in the project. Initially the rehearsal's account may do everything."""

    def __init__(self, project: StandInProject) -> None:
        self._project = project
        self._granted: frozenset[str] | None = None
        self._checked: set[str] = set()
        self._roles: dict[str, Sequence[str]] = {}
        self.reset()

    def reset(self) -> None:
        """Lift all restrictions. The default account of machines is an editor, as in a project without organization."""
        self._granted = None
        self._checked.clear()
        self._roles = {"roles/editor": [f"serviceAccount:{self._project.nodes}"]}

    def restrict(self, permissions: Iterable[str]) -> None:
        """Let the rehearsal's account have these permissions only."""
        self._checked.clear()
        self._granted = frozenset(permissions)

    def bind(self, roles: Mapping[str, Sequence[str]]) -> None:
        """Set the project's policy: members by role."""
        self._roles = dict(roles)

    @property
    def checked(self) -> Sequence[str]:
        """The permissions that calls needed since the last restriction or reset."""
        return sorted(self._checked)

    @property
    def bindings(self) -> Sequence[Mapping[str, object]]:
        """The project's policy, as in the API."""
        return [{"role": role, "members": list(members)} for role, members in self._roles.items()]

    def members(self, role: str) -> Sequence[str]:
        """The members of a role in the project."""
        return tuple(self._roles.get(role, ()))

    def has(self, permission: str) -> bool:
        """Whether the account has a permission, without needing it."""
        return self._granted is None or permission in self._granted

    def allows(self, permission: str) -> bool:
        """Whether a call that needs a permission is allowed."""
        self._checked.add(permission)
        return self.has(permission)

    def require(self, permission: str, resource: str = "") -> None:
        """Raise ApiError (PERMISSION_DENIED) if the account lacks a permission."""
        if not self.allows(permission):
            raise permission_denied(permission, resource or f"projects/{self._project.id}")

    def require_quota_project(self, project: str) -> None:
        """Raise ApiError if the account may not use a project's quota. project: of the header; empty: none.

        The messages: https://cloud.google.com/docs/authentication/troubleshoot-adc
        """
        if not project:
            return
        metadata = {"service": "serviceusage.googleapis.com", "consumer": f"projects/{project}"}
        if not self._project.is_called(project):
            what = f"Project '{project}' not found or deleted."
            raise ApiError(Code.PERMISSION_DENIED, what, "CONSUMER_INVALID", metadata=metadata)
        if not self.allows(USE_SERVICES):
            what = (
                f"Caller does not have required permission to use project {project}. Grant the caller the "
                f"roles/serviceusage.serviceUsageConsumer role, or a custom role with the {USE_SERVICES} permission, "
                f"by visiting https://console.developers.google.com/iam-admin/iam/project?project={project} and then "
                "retry. Propagation of the new permission may take a few minutes."
            )
            raise ApiError(Code.PERMISSION_DENIED, what, "USER_PROJECT_DENIED", metadata=metadata)

    def require_act_as(self, account: str) -> None:
        """Raise ApiError if the account may not attach a service account to machines.

        https://cloud.google.com/kubernetes-engine/docs/how-to/iam#iam_service_account_user
        """
        if not self.allows("iam.serviceAccounts.actAs"):
            what = (
                f'The user does not have access to service account "{account}". Ask a project owner to grant you the '
                "iam.serviceAccountUser role on the service account."
            )
            raise ApiError(Code.INVALID_ARGUMENT, what)
