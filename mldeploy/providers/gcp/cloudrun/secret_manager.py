"""Calls of Secret Manager about the secrets of one app. https://cloud.google.com/secret-manager/docs/reference/rpc"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC
from typing import TypeVar

from google.api_core import exceptions as api
from google.cloud import secretmanager_v1 as sm
from google.protobuf import field_mask_pb2

from mldeploy.config.secret import Secret
from mldeploy.providers.gcp.calls import call
from mldeploy.providers.gcp.cloudrun.cloud import CloudRunCloud
from mldeploy.providers.gcp.cloudrun.settings import TARGET
from mldeploy.providers.gcp.errors import gcp_errors
from mldeploy.providers.gcp.settings import APP, missing_labels, owner_labels
from mldeploy.providers.recent_secrets import RecentSecrets
from mldeploy.providers.secret_store import StoredSecret

T = TypeVar("T")
UNSET = "mldeploy-unset"
"""The label of a secret that `unset` has removed while instances may still have to start with it."""


def secret_prefix(cloud: CloudRunCloud) -> str:
    """What the ids of the app's secrets begin with. They belong to the project, so the region is a part of it.

    Neither names of apps nor of regions have an underscore.
    """
    return f"mldeploy-{cloud.app}_{cloud.account.region}_"


def secret_id(cloud: CloudRunCloud, name: str) -> str:
    return secret_prefix(cloud) + name


def recent_secrets(cloud: CloudRunCloud) -> RecentSecrets:
    return RecentSecrets(cloud.app, TARGET, cloud.account.scope)


def list_owned(cloud: CloudRunCloud) -> Iterator[tuple[str, sm.Secret]]:
    """The app's secrets by name, sorted. The list may be late, so what was written here is looked up by its name.

    https://cloud.google.com/secret-manager/docs/consistency
    """
    request = sm.ListSecretsRequest(
        parent=f"projects/{cloud.account.project}", filter=f"labels.{APP}={cloud.app}", page_size=250
    )
    with gcp_errors(f"secrets of {cloud.app}", "secretmanager.secrets.list"):
        listed = [*call(cloud.account.identity, cloud.secret_manager.list_secrets, request)]
    prefix = secret_prefix(cloud)
    ids = {each.name.rpartition("/")[2]: each for each in listed if is_ours(cloud, each)}
    secrets = {each.removeprefix(prefix): secret for each, secret in ids.items() if each.startswith(prefix)}
    for name in recent_secrets(cloud).read():
        secret = None if name in secrets else find_secret(cloud, name)
        if secret is not None and is_ours(cloud, secret):
            secrets[name] = secret
    yield from sorted(secrets.items(), key=lambda pair: pair[0])


def find_secret(cloud: CloudRunCloud, name: str) -> sm.Secret | None:
    request = sm.GetSecretRequest(name=secret_path(cloud, name))
    return ignore_absent(cloud, name, "secrets.get", cloud.secret_manager.get_secret, request)


def create_secret(cloud: CloudRunCloud, name: str) -> sm.Secret | None:
    """Create the secret in the service's region; None if it exists already: an earlier attempt, or somebody else."""
    replica = sm.Replication.UserManaged.Replica(location=cloud.account.region)
    secret = sm.Secret(
        labels=owner_labels(cloud.app, TARGET),
        replication=sm.Replication(user_managed=sm.Replication.UserManaged(replicas=[replica])),
    )
    request = sm.CreateSecretRequest(
        parent=f"projects/{cloud.account.project}", secret_id=secret_id(cloud, name), secret=secret
    )
    with gcp_errors(f"secret {name}", "secretmanager.secrets.create"):
        try:
            return call(cloud.account.identity, cloud.secret_manager.create_secret, request)
        except api.AlreadyExists:
            return None


def set_labels(cloud: CloudRunCloud, name: str, labels: dict[str, str]) -> None:
    request = sm.UpdateSecretRequest(
        secret=sm.Secret(name=secret_path(cloud, name), labels=labels),
        update_mask=field_mask_pb2.FieldMask(paths=["labels"]),
    )
    with gcp_errors(f"secret {name}", "secretmanager.secrets.update"):
        call(cloud.account.identity, cloud.secret_manager.update_secret, request)


def describe_newest(cloud: CloudRunCloud, name: str) -> StoredSecret | None:
    """The newest version; None if there is none. "latest" may be late, a version by its number is not."""
    latest = get_version(cloud, name, "latest")
    number = _number(latest) if latest is not None else 0
    written = recent_secrets(cloud).read().get(name, "")
    if written.isdecimal() and int(written) > number:
        latest = get_version(cloud, name, written) or latest
    return to_stored(cloud, name, latest) if latest is not None else None


def get_version(cloud: CloudRunCloud, name: str, version: str) -> sm.SecretVersion | None:
    request = sm.GetSecretVersionRequest(name=f"{secret_path(cloud, name)}/versions/{version}")
    return ignore_absent(cloud, name, "versions.get", cloud.secret_manager.get_secret_version, request)


def read_value(cloud: CloudRunCloud, stored: StoredSecret) -> Secret | None:
    """The value, empty if it is no text; None for a version that was removed meanwhile."""
    request = sm.AccessSecretVersionRequest(name=f"{stored.reference}/versions/{stored.version}")
    client = cloud.secret_manager
    accessed = ignore_absent(cloud, stored.name, "versions.access", client.access_secret_version, request)
    try:
        return Secret(accessed.payload.data.decode()) if accessed is not None else None
    except UnicodeDecodeError:
        return Secret("")


def ignore_absent(
    cloud: CloudRunCloud, name: str, permission: str, method: Callable[..., T], request: object
) -> T | None:
    with gcp_errors(f"secret {name}", f"secretmanager.{permission}"):
        try:
            return call(cloud.account.identity, method, request)
        except api.NotFound:
            return None


def is_kept(cloud: CloudRunCloud, secret: sm.Secret) -> bool:
    return is_ours(cloud, secret) and UNSET not in secret.labels


def is_ours(cloud: CloudRunCloud, secret: sm.Secret) -> bool:
    return not missing_labels(secret.labels, cloud.app, TARGET)


def secret_path(cloud: CloudRunCloud, name: str) -> str:
    return f"projects/{cloud.account.project}/secrets/{secret_id(cloud, name)}"


def to_stored(cloud: CloudRunCloud, name: str, version: sm.SecretVersion) -> StoredSecret:
    created = sm.SecretVersion.pb(version).create_time.ToDatetime(tzinfo=UTC).isoformat(timespec="seconds")
    return StoredSecret(name, secret_path(cloud, name), created, str(_number(version)))


def _number(version: sm.SecretVersion) -> int:
    number = version.name.rpartition("/")[2]
    return int(number) if number.isdecimal() else 0
