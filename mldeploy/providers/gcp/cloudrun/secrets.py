"""The app's secrets in Secret Manager, which its revisions reference by version.

https://cloud.google.com/run/docs/configuring/services/secrets. An instance reads the version of its revision when it
starts, so a new value is a new revision, and a rollback has the old one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from google.cloud import secretmanager_v1 as sm

from mldeploy.config.secret import Secret
from mldeploy.core.errors import RefusedError
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Resource
from mldeploy.providers.gcp.calls import poll, wait_until_gone
from mldeploy.providers.gcp.cloudrun.cloud import CloudRunCloud
from mldeploy.providers.gcp.cloudrun.revision_spec import RevisionSpec
from mldeploy.providers.gcp.cloudrun.secret_manager import (
    UNSET,
    create_secret,
    describe_newest,
    find_secret,
    get_version,
    ignore_absent,
    is_kept,
    is_ours,
    list_owned,
    read_value,
    recent_secrets,
    secret_id,
    secret_path,
    secret_prefix,
    set_labels,
    to_stored,
)
from mldeploy.providers.gcp.cloudrun.services import describe_revision, describe_service
from mldeploy.providers.gcp.cloudrun.settings import TARGET
from mldeploy.providers.gcp.errors import DisabledError, GcpDeniedError, GcpError
from mldeploy.providers.secret_store import StoredSecret, StoredSecretStep, given_to_app, require_size

T = TypeVar("T")
LIMIT = 65_536
"""Bytes of a value. https://cloud.google.com/secret-manager/quotas#content-limits"""
VISIBLE_SECONDS = 20.0
"""So long a new secret may be missing: https://cloud.google.com/secret-manager/docs/consistency"""
LATE_SECONDS = 2.0
"""So long a removal looks for a secret that was just written from here. It may be gone as well."""
GONE_SECONDS = 120.0


@dataclass(frozen=True)
class SecretManagerStore:
    """`mldeploy.providers.secret_store.SecretStore` in a project. Raises GcpError, DeniedError, DisabledError."""

    cloud: CloudRunCloud
    limit: ClassVar[int] = LIMIT

    def list(self) -> tuple[StoredSecret, ...]:
        return list_stored_secrets(self.cloud)

    def read(self, name: str) -> Secret | None:
        secret = find_secret(self.cloud, name)
        stored = describe_newest(self.cloud, name) if secret is not None and is_kept(self.cloud, secret) else None
        return read_value(self.cloud, stored) if stored else None

    def write(self, name: str, value: Secret, monitor: Monitor) -> StoredSecret:
        """Raises RefusedError for a secret of somebody else."""
        require_size(name, value, self.limit)
        recent = recent_secrets(self.cloud)
        if name not in recent.read():
            recent.note(name)
        for _ in poll(monitor, VISIBLE_SECONDS):
            secret = find_secret(self.cloud, name) or create_secret(self.cloud, name)
            if secret is not None and (stored := self._put(name, secret, value)):
                recent.note(name, stored.version)
                return stored
        raise GcpError(f"secret {name}", "is not visible after it was created", "Run the command again: it resumes.")

    def remove(self, name: str, monitor: Monitor) -> bool:
        """Delete it; while a revision with traffic reads it, only mark it: an instance of that may have to start."""
        secret = _find_written(self.cloud, name, monitor)
        if secret is None or not is_kept(self.cloud, secret):
            return False
        if secret_id(self.cloud, name) in _list_served(self.cloud):
            set_labels(self.cloud, name, {**secret.labels, UNSET: "true"})
            return True
        return delete_secret(self.cloud, name, monitor)

    def resources(self, name: str) -> tuple[Resource, ...]:
        return (Resource(CloudRunSecret.kind, Key(name)),)

    def _put(self, name: str, secret: sm.Secret, value: Secret) -> StoredSecret | None:
        """Give the secret the value; None while it is not visible everywhere."""
        if not is_ours(self.cloud, secret):
            todo = "Remove it yourself, or choose another name for the app."
            what = f"exists as {secret_id(self.cloud, name)}, and mldeploy did not create it"
            raise RefusedError(f"secret {name}", what, todo)
        if UNSET in secret.labels:
            set_labels(self.cloud, name, {key: text for key, text in secret.labels.items() if key != UNSET})
        current = describe_newest(self.cloud, name)
        if current is not None and read_value(self.cloud, current) == value:
            return current
        payload = sm.SecretPayload(data=value.reveal().encode())
        request = sm.AddSecretVersionRequest(parent=secret_path(self.cloud, name), payload=payload)
        client = self.cloud.secret_manager
        added = ignore_absent(self.cloud, name, "versions.add", client.add_secret_version, request)
        return to_stored(self.cloud, name, added) if added is not None else None


def list_references(cloud: CloudRunCloud, spec: RevisionSpec) -> tuple[tuple[str, str], ...]:
    """The stored secrets that a revision reads: id and version."""
    prefix = secret_prefix(cloud)
    return tuple((secret, version) for _, secret, version in spec.secrets if secret.startswith(prefix))


def list_stored_secrets(cloud: CloudRunCloud) -> tuple[StoredSecret, ...]:
    """The app's secrets that have a value, sorted by name. Raises GcpError, DeniedError, DisabledError."""
    names = (name for name, secret in list_owned(cloud) if UNSET not in secret.labels)
    described = (describe_newest(cloud, name) for name in names)
    return tuple(each for each in described if each is not None)


def list_app_secrets(cloud: CloudRunCloud, monitor: Monitor | None = None) -> tuple[StoredSecret, ...]:
    """The secrets that the app gets. Raises as `list_stored_secrets`.

    Without the API there are none. A role of an earlier version of mldeploy does not allow the call: whoever has it
    deploys as before, unless the service reads such secrets. monitor: is told of that.
    """
    return given_to_app(_if_allowed(cloud, lambda: list_stored_secrets(cloud), monitor))


def list_owned_names(cloud: CloudRunCloud) -> tuple[str, ...]:
    """The names of all secrets of the app, for a removal. Raises as `list_app_secrets` does."""
    return _if_allowed(cloud, lambda: tuple(name for name, _ in list_owned(cloud)), None)


def delete_unset_secrets(cloud: CloudRunCloud, monitor: Monitor) -> None:
    """Delete what `unset` has marked, unless a revision with traffic still reads it. May be repeated."""
    unset = [name for name, secret in list_owned(cloud) if UNSET in secret.labels]
    served = _list_served(cloud) if unset else frozenset()
    for name in unset:
        if secret_id(cloud, name) not in served:
            delete_secret(cloud, name, monitor)


def delete_secret(cloud: CloudRunCloud, name: str, monitor: Monitor) -> bool:
    """Delete a secret of ours with all of its versions, and return once it is gone."""
    secret, recent = _find_written(cloud, name, monitor), recent_secrets(cloud)
    if secret is None or not is_ours(cloud, secret):
        recent.forget(name)
        return False
    request = sm.DeleteSecretRequest(name=secret_path(cloud, name))
    ignore_absent(cloud, name, "secrets.delete", cloud.secret_manager.delete_secret, request)
    wait_until_gone(monitor, f"secret {name}", lambda: find_secret(cloud, name) is None, GONE_SECONDS)
    recent.forget(name)
    return True


def _find_written(cloud: CloudRunCloud, name: str, monitor: Monitor) -> sm.Secret | None:
    """The secret. One that was written from this machine may be missing in the first answers."""
    within = LATE_SECONDS if name in recent_secrets(cloud).read() else 0.0
    secret = find_secret(cloud, name)
    for _ in poll(monitor, within):
        secret = secret or find_secret(cloud, name)
        if secret is not None:
            break
    return secret


def require_secrets(cloud: CloudRunCloud, revision: str, spec: RevisionSpec) -> None:
    """Raise RefusedError if a revision cannot start any more, since a secret that it reads was removed."""
    for secret, version in list_references(cloud, spec):
        name = secret.removeprefix(secret_prefix(cloud))
        if get_version(cloud, name, version) is None:
            todo = f"Run `mldeploy secrets set {name} --target {TARGET}`, and deploy that version instead."
            raise RefusedError(f"revision {revision}", f"reads the secret {name}, which was removed", todo)


def _if_allowed(cloud: CloudRunCloud, read: Callable[[], tuple[T, ...]], monitor: Monitor | None) -> tuple[T, ...]:
    try:
        return read()
    except (GcpDeniedError, DisabledError) as error:
        service = describe_service(cloud)
        if service is not None and list_references(cloud, service.template):
            raise
        if monitor is not None and isinstance(error, GcpDeniedError):
            text = f"The app gets no stored secrets: {error.permission} is not allowed. See `mldeploy policy`."
            monitor.note(text, warning=True)
        return ()


def _list_served(cloud: CloudRunCloud) -> frozenset[str]:
    """The ids of the stored secrets that revisions with traffic read."""
    service = describe_service(cloud)
    shares = service.traffic if service is not None and not service.missing_labels else ()
    revisions = (describe_revision(cloud, each.revision) for each in shares)
    return frozenset(
        secret for each in revisions if each is not None for secret, _ in list_references(cloud, each.spec)
    )


@dataclass(frozen=True, eq=False)
class CloudRunSecret(StoredSecretStep[CloudRunCloud]):
    """A secret of the app in Secret Manager."""

    kind: ClassVar[str] = "cloudrun-secret"

    @staticmethod
    def undo(cloud: CloudRunCloud, key: Key, monitor: Monitor) -> bool:
        return delete_secret(cloud, key.name, monitor)
