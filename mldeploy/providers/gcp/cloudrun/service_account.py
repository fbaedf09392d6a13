"""The service account of the app, which has no role. https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts

A service account has no labels, so its description says whose it is.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import ClassVar

from google.api_core import exceptions as api

from mldeploy.core.errors import RefusedError
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.providers.gcp.account import GcpProject
from mldeploy.providers.gcp.cloudrun.cloud import CloudRunCloud
from mldeploy.providers.gcp.cloudrun.settings import TARGET
from mldeploy.providers.gcp.errors import GcpError
from mldeploy.providers.gcp.rest import GoogleRestClient
from mldeploy.providers.gcp.settings import owner_labels

PUBLIC_URL = "https://iam.googleapis.com"
SERVICE = "iam"
"""The name of this API in `Endpoints`, for stand-ins."""
LONGEST_ID = 30
VISIBLE_SECONDS = 60.0


@dataclass(frozen=True)
class AppIdentity:
    """email: of the service account. is_new: it was created now, so other services may not know it yet."""

    email: str
    is_new: bool = False


@dataclass(frozen=True, eq=False)
class AppServiceAccount(Step[CloudRunCloud, AppIdentity]):
    """The app runs as a service account of its own, without any role in the project."""

    kind: ClassVar[str] = "service-account"
    title: ClassVar[str] = "Create the app's service account"

    app: str

    def key(self) -> Key:
        return Key(account_id(self.app))

    def probe(self, cloud: CloudRunCloud, outs: Outputs) -> Seen[AppIdentity] | None:
        description = find_description(cloud.account, self.key().name)
        if description is None:
            return None
        return Seen(
            AppIdentity(account_email(cloud.account, self.key().name)), ours=description == owner_text(self.app)
        )

    def apply(
        self, cloud: CloudRunCloud, outs: Outputs, seen: Seen[AppIdentity] | None, monitor: Monitor
    ) -> AppIdentity:
        name = self.key().name
        _create_account(cloud.account, name, self.app)
        for _ in monitor.attempts(every=0.5, within=VISIBLE_SECONDS):
            description = find_description(cloud.account, name)
            if description == owner_text(self.app):
                return AppIdentity(account_email(cloud.account, name), is_new=True)
            if description is not None:
                todo = "Set `service_account` in [target.cloudrun], or rename the app."
                raise RefusedError(_where(name), "was just created by somebody else", todo)
        raise GcpError(_where(name), "is not visible after it was created", "Run the command again: it resumes.")

    @staticmethod
    def undo(cloud: CloudRunCloud, key: Key, monitor: Monitor) -> bool:
        if find_description(cloud.account, key.name) != owner_text(cloud.app):
            return False
        try:
            _client(cloud.account, key.name).delete(_path(cloud.account, key.name), "iam.serviceAccounts.delete")
        except GcpError as error:
            if not isinstance(error.__cause__, api.NotFound):
                raise
        return True


def account_id(app: str) -> str:
    """The id of the app's account: 6 to 30 characters. A longer name is cut and gets some digits of its hash."""
    name = f"mldeploy-{app}"
    if len(name) <= LONGEST_ID:
        return name
    return f"{name[: LONGEST_ID - 7].rstrip('-')}-{hashlib.sha256(app.encode()).hexdigest()[:6]}"


def account_email(account: GcpProject, name: str) -> str:
    """https://cloud.google.com/iam/docs/service-accounts-create; an old project's id may have a domain."""
    domain, _, project = account.project.rpartition(":")
    return f"{name}@{project}.{f'{domain}.' if domain else ''}iam.gserviceaccount.com"


def owner_text(app: str) -> str:
    """The description of an account of ours."""
    return " ".join(f"{name}={value}" for name, value in owner_labels(app, TARGET).items())


def find_description(account: GcpProject, name: str) -> str | None:
    """The description of an account, None if it does not exist. Raises DeniedError, DisabledError, GcpError."""
    try:
        document = _client(account, name).get(_path(account, name), "iam.serviceAccounts.get")
    except GcpError as error:
        if isinstance(error.__cause__, api.NotFound):
            return None
        raise
    return str(document.get("description") or "")


def _create_account(account: GcpProject, name: str, app: str) -> None:
    body = {
        "accountId": name,
        "serviceAccount": {"displayName": f"The app {app}", "description": owner_text(app)},
    }
    try:
        path = f"/v1/projects/{account.project}/serviceAccounts"
        _client(account, name).post(path, "iam.serviceAccounts.create", body)
    except GcpError as error:
        if not isinstance(error.__cause__, api.Conflict):
            raise


def _client(account: GcpProject, name: str) -> GoogleRestClient:
    return GoogleRestClient(account, account.endpoints.service(SERVICE) or PUBLIC_URL, _where(name))


def _path(account: GcpProject, name: str) -> str:
    return f"/v1/projects/{account.project}/serviceAccounts/{account_email(account, name)}"


def _where(name: str) -> str:
    return f"service account {name}"
