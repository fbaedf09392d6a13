"""The app's service account may read a secret. https://cloud.google.com/run/docs/configuring/services/secrets"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.providers.gcp.cloudrun.cloud import CloudRunCloud
from mldeploy.providers.gcp.cloudrun.iam_policies import ResourcePolicyEditor
from mldeploy.providers.gcp.cloudrun.service_account import AppServiceAccount, account_email, account_id

ACCESSOR = "roles/secretmanager.secretAccessor"


@dataclass(frozen=True, eq=False)
class SecretAccess(Step[CloudRunCloud, None]):
    """The app's service account may read one secret, which exists and is not mldeploy's."""

    kind: ClassVar[str] = "secret-access"
    title: ClassVar[str] = "Let the app read a secret"

    secret: str
    """As in the settings, without the version."""
    account: AppServiceAccount

    def key(self) -> Key:
        return Key(self.secret)

    def probe(self, cloud: CloudRunCloud, outs: Outputs) -> Seen[None] | None:
        return Seen(None) if has_access(cloud, self.secret) else None

    def apply(self, cloud: CloudRunCloud, outs: Outputs, seen: Seen[None] | None, monitor: Monitor) -> None:
        """Raises GcpError if the secret does not exist, DeniedError."""
        _policy(cloud, self.secret).grant(ACCESSOR, _member(cloud), monitor)

    @staticmethod
    def undo(cloud: CloudRunCloud, key: Key, monitor: Monitor) -> bool:
        return _policy(cloud, key.name).revoke(ACCESSOR, _member(cloud), monitor)


def has_access(cloud: CloudRunCloud, secret: str) -> bool:
    """Whether the app's own service account may read a secret; False if there is no such secret."""
    return _policy(cloud, secret).has(ACCESSOR, _member(cloud))


def grant_access(cloud: CloudRunCloud, secret: str, account: str, monitor: Monitor) -> bool:
    """Let a service account read one secret; True if it could not before. The grant ends with the secret."""
    if is_readable(cloud, secret, account):
        return False
    _policy(cloud, secret).grant(ACCESSOR, f"serviceAccount:{account}", monitor)
    return True


def is_readable(cloud: CloudRunCloud, secret: str, account: str) -> bool:
    """Whether a service account may read a secret; False if there is no such secret."""
    return _policy(cloud, secret).has(ACCESSOR, f"serviceAccount:{account}")


def secret_exists(cloud: CloudRunCloud, secret: str) -> bool:
    """Whether there is such a secret, by the name in the settings. Raises DeniedError, GcpError."""
    return _policy(cloud, secret).exists()


def _policy(cloud: CloudRunCloud, secret: str) -> ResourcePolicyEditor:
    resource = secret if "/" in secret else f"projects/{cloud.account.project}/secrets/{secret}"
    return ResourcePolicyEditor(
        cloud.secret_manager, cloud.account.identity, resource, f"secret {secret}", "secretmanager.secrets"
    )


def _member(cloud: CloudRunCloud) -> str:
    return f"serviceAccount:{account_email(cloud.account, account_id(cloud.app))}"
