"""The app's secrets in its key vault, which its settings reference by version.

https://learn.microsoft.com/azure/key-vault/secrets/about-secrets. A version of the app names the version of each
secret, so a new value is a new version of the app.
"""

from __future__ import annotations

import hashlib
import re
import secrets as random
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC
from functools import partial
from typing import ClassVar, TypeVar

from azure.core.exceptions import HttpResponseError, ResourceExistsError
from azure.keyvault.secrets import SecretClient, SecretProperties

from mldeploy.config.secret import Secret
from mldeploy.core.errors import RefusedError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor, current_monitor
from mldeploy.core.step import Key, Outputs, Resource, Step
from mldeploy.providers.azure.account import CONNECT_SECONDS, READ_SECONDS
from mldeploy.providers.azure.errors import AzureDeniedError, azure_errors, error_code, error_details, ignore_not_found
from mldeploy.providers.azure.group import VAULTS, ResourceGroup, ResourceProvider
from mldeploy.providers.azure.identity import IdentityCloud, IdentityInfo
from mldeploy.providers.azure.keyvault.roles import allow_app, allow_caller, is_caller_allowed
from mldeploy.providers.azure.keyvault.vault import AppVault, VaultInfo, describe_vault
from mldeploy.providers.azure.role_assignments import ROLE_SECONDS
from mldeploy.providers.azure.waiting import AzureRetryPolicy, wait_until_gone
from mldeploy.providers.secret_store import StoredSecret, StoredSecretStep, given_to_app, require_size

T = TypeVar("T")
LIMIT = 25_000
"""Bytes of a value: https://learn.microsoft.com/azure/key-vault/secrets/about-secrets"""
VARIABLE, VERSION = "mldeploy.variable", "mldeploy.version"
"""Tags of each version: the variable, whose name no secret can have, and a mark that finds the version's own id."""
ROLE_EVERY = 5.0
NAME_SECONDS = 120.0
"""Time for the name of a secret that was just deleted to be free."""
FORBIDDEN = "Forbidden"
READ = "Microsoft.KeyVault/vaults/read"
_ACTION = re.compile(r"Action: '(?P<action>[^']+)'")


@dataclass(frozen=True)
class AppSecrets:
    """The stored secrets that an app gets. vault: None if there is none."""

    vault: VaultInfo | None = None
    stored: tuple[StoredSecret, ...] = ()

    @property
    def uris(self) -> dict[str, str]:
        """The URIs of the secrets with their versions, by variable."""
        return {each.name: f"{each.reference}/{each.version}" for each in self.stored}

    def is_removed(self, uri: str) -> bool:
        """Whether a URI is that of a secret of the vault which is not there any more."""
        known = [f"{each.reference}/" for each in self.stored]
        return self.vault is not None and uri.startswith(self.vault.uri) and not uri.startswith(tuple(known))

    def allow(self, cloud: IdentityCloud, identity: IdentityInfo, monitor: Monitor) -> None:
        """Let the app read them, if it has any. Safe to repeat. Raises SDK errors, AzureDeniedError."""
        if self.vault is not None and self.stored:
            allow_app(cloud, self.vault, identity, monitor)


NO_SECRETS = AppSecrets()


@dataclass(frozen=True)
class KeyVaultStore:
    """`mldeploy.providers.secret_store.SecretStore` in the app's key vault. Raises AzureError and its like."""

    cloud: IdentityCloud
    limit: ClassVar[int] = LIMIT

    def list(self) -> tuple[StoredSecret, ...]:
        with azure_errors(f"secrets of {self.cloud.app}"):
            vault = describe_vault(self.cloud)
            return list_stored_secrets(self.cloud, vault) if vault else ()

    def read(self, name: str) -> Secret | None:
        with azure_errors(f"secret {name}"):
            vault = describe_vault(self.cloud)
            return _ask(self.cloud, vault, partial(_read_value, name)) if vault else None

    def write(self, name: str, value: Secret, monitor: Monitor) -> StoredSecret:
        """Also creates the resource group, the vault, and the caller's role in it. Raises RefusedError."""
        require_size(name, value, self.limit)
        with azure_errors(f"secret {name}"):
            vault = self._ensure_vault(monitor)
            return _insist(self.cloud, vault, partial(_write_value, name, value, monitor), monitor)

    def remove(self, name: str, monitor: Monitor) -> bool:
        with azure_errors(f"secret {name}"):
            vault = describe_vault(self.cloud)
            return vault is not None and _insist(self.cloud, vault, partial(_delete, name, monitor), monitor)

    def resources(self, name: str) -> tuple[Resource, ...]:
        vault = self._vault
        return (vault.group.resource, vault.resource, Resource(VaultSecret.kind, Key(name, (self.cloud.group,))))

    @property
    def _vault(self) -> AppVault:
        return AppVault(self.cloud.app, ResourceProvider(VAULTS), ResourceGroup(self.cloud.group))

    def _ensure_vault(self, monitor: Monitor) -> VaultInfo:
        """Walk what the vault stands on, as a deployment would. Raises RefusedError for a vault of others."""
        step, made = self._vault, dict[int, object]()
        for each in (step.provider, step.group):
            made[id(each)] = _ensure(self.cloud, each, Outputs(each, made), monitor)
        return _ensure(self.cloud, step, Outputs(step, made), monitor)


def _ensure(cloud: IdentityCloud, step: Step[IdentityCloud, T], outs: Outputs, monitor: Monitor) -> T:
    seen = step.probe(cloud, outs)
    if seen is None:
        return step.apply(cloud, outs, None, monitor)
    if isinstance(step, AppVault) and not seen.ours:
        todo = "Remove it, or choose another name for the app."
        raise RefusedError(str(step.resource), "exists, and mldeploy did not create it", todo)
    return seen.out


# the data plane -----------------------------------------------------------------------------------------------------


def list_stored_secrets(cloud: IdentityCloud, vault: VaultInfo) -> tuple[StoredSecret, ...]:
    """The app's secrets, sorted by name. Raises SDK errors, AzureDeniedError."""
    return _ask(cloud, vault, lambda client: tuple(sorted(_list(client), key=lambda each: each.name)))


def list_app_secrets(cloud: IdentityCloud, *, is_referenced: bool, monitor: Monitor | None = None) -> AppSecrets:
    """The secrets that the app gets. Raises SDK errors, AzureDeniedError.

    A role of an earlier version of mldeploy does not allow to look for the vault. Whoever has it deploys as before,
    unless the running version has secrets of one (is_referenced). monitor: is told of that.
    """
    try:
        vault = describe_vault(cloud)
    except HttpResponseError as error:
        if error.status_code != 403 or is_referenced:
            raise
        if monitor is not None:
            text = f"The app gets no stored secrets: {READ} is not allowed. See `mldeploy policy`."
            monitor.note(text, warning=True)
        return NO_SECRETS
    return AppSecrets(vault, given_to_app(list_stored_secrets(cloud, vault))) if vault else NO_SECRETS


def secret_name(variable: str) -> str:
    """The name in the vault. Names of variables differ by case and have underscores; names of secrets do not."""
    readable = re.sub(r"[^a-z0-9]+", "-", variable.lower()).strip("-")[:80] or "secret"
    return f"{readable}-{hashlib.sha256(variable.encode()).hexdigest()[:8]}"


@contextmanager
def _client(cloud: IdentityCloud, vault: VaultInfo) -> Iterator[SecretClient]:
    """The vault's own API. verify_challenge_resource: a simulated vault is not in the domain of Azure's."""
    account = cloud.account
    client = SecretClient(
        vault.uri,
        account.credential,
        verify_challenge_resource=not account.url,
        connection_verify=str(account.verify) if account.verify else True,
        connection_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retry_policy=AzureRetryPolicy(),
    )
    with closing(client):
        yield client


def _ask(cloud: IdentityCloud, vault: VaultInfo, request: Callable[[SecretClient], T]) -> T:
    """Send a request. A role that mldeploy gave the caller may not count yet. Raises AzureDeniedError."""
    monitor, error = current_monitor(), None
    for _ in monitor.attempts(every=ROLE_EVERY, within=ROLE_SECONDS):
        try:
            with _client(cloud, vault) as client:
                return request(client)
        except HttpResponseError as denied:
            if error_code(denied) != FORBIDDEN:
                raise
            error = denied
        if not is_caller_allowed(cloud, vault):
            break
        monitor.progress(Progress("", "waiting until the role on the key vault takes effect"))
    raise _denied_error(cloud, vault, error) from error


def _insist(cloud: IdentityCloud, vault: VaultInfo, request: Callable[[SecretClient], T], monitor: Monitor) -> T:
    """Send a request, and give the caller the role for it if that is missing. Raises as `_ask` does."""
    try:
        with _client(cloud, vault) as client:
            return request(client)
    except HttpResponseError as denied:
        if error_code(denied) != FORBIDDEN:
            raise
    allow_caller(cloud, vault, monitor)
    return _ask(cloud, vault, request)


def _denied_error(cloud: IdentityCloud, vault: VaultInfo, error: HttpResponseError | None) -> AzureDeniedError:
    action = _ACTION.search(error_details(error)[1] if error else "")
    todo = "Have an Owner assign the role Key Vault Secrets Officer on it to your account."
    needed = action["action"] if action else "Microsoft.KeyVault/vaults/secrets"
    return AzureDeniedError(f"key vault {vault.name}", cloud.account.user, needed, vault.id, todo)


def _list(client: SecretClient) -> Iterator[StoredSecret]:
    for each in client.list_properties_of_secrets():
        variable = (each.tags or {}).get(VARIABLE, "")
        if variable and each.name == secret_name(variable):
            yield _stored(client, variable, each)


def _stored(client: SecretClient, variable: str, current: SecretProperties) -> StoredSecret:
    """A list has no versions: the current one is that with the same mark. It takes no value to find it."""
    mark = (current.tags or {}).get(VERSION, "")
    versions = client.list_properties_of_secret_versions(current.name or "")
    version = next((each.version for each in versions if (each.tags or {}).get(VERSION, "") == mark), "")
    changed = current.updated_on.astimezone(UTC).isoformat(timespec="seconds") if current.updated_on else ""
    return StoredSecret(variable, f"{current.vault_url}/secrets/{current.name}", changed, version or "")


def _read_value(variable: str, client: SecretClient) -> Secret | None:
    found = ignore_not_found(lambda: client.get_secret(secret_name(variable)))
    return Secret(found.value or "") if found is not None else None


def _write_value(variable: str, value: Secret, monitor: Monitor, client: SecretClient) -> StoredSecret:
    """A secret that was deleted and not purged keeps the name: it is purged first. Raises RefusedError."""
    name = secret_name(variable)
    found = ignore_not_found(lambda: client.get_secret(name))
    if found is not None and Secret(found.value or "") == value:
        return _stored(client, variable, found.properties)
    tags = {VARIABLE: variable, VERSION: random.token_hex(8)}
    for _ in monitor.attempts(every=1.0, within=NAME_SECONDS):
        try:
            written = client.set_secret(name, value.reveal(), tags=tags, content_type="text/plain")
        except ResourceExistsError:
            ignore_not_found(lambda: client.purge_deleted_secret(name))
            continue
        return _stored(client, variable, written.properties)
    what = "the name is still taken by a secret that was deleted"
    raise RefusedError(f"secret {variable}", what, "Run the command again in a minute.")


def _delete(variable: str, monitor: Monitor, client: SecretClient) -> bool:
    """Delete a secret with all of its versions, and return once its name is free."""
    name = secret_name(variable)
    if deletion := ignore_not_found(lambda: client.begin_delete_secret(name)):
        deletion.wait()

    def is_gone() -> bool:
        return ignore_not_found(lambda: client.get_deleted_secret(name)) is None

    if is_gone():
        return False
    ignore_not_found(lambda: client.purge_deleted_secret(name))
    wait_until_gone(monitor, f"secret {variable}", is_gone)
    return True


@dataclass(frozen=True, eq=False)
class VaultSecret(StoredSecretStep[IdentityCloud]):
    """A secret of the app in its vault, which goes before it."""

    kind: ClassVar[str] = "key-vault-secret"

    vault: AppVault

    @staticmethod
    def undo(cloud: IdentityCloud, key: Key, monitor: Monitor) -> bool:
        """Nothing to do: the secret is deleted with the vault, for which the account needs no role in it."""
        return False
