"""Secrets in the target's own store: `mldeploy secrets`, and the access keys of `mldeploy keys`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Annotated, ClassVar, Never, Protocol, TypeVar, runtime_checkable

from mldeploy.config.errors import ConfigError
from mldeploy.config.secret import Secret
from mldeploy.config.settings import App, Project
from mldeploy.config.target import TargetSettings
from mldeploy.core.errors import RefusedError
from mldeploy.core.journal import Session
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Resource, Step

CloudT_contra = TypeVar("CloudT_contra", contravariant=True)
SettingsT_contra = TypeVar("SettingsT_contra", bound=TargetSettings, contravariant=True)
VARIABLE_LIMIT = (128 << 10) - 1
"""Bytes of `NAME=value`: Linux starts no program with a longer variable (execve(2), MAX_ARG_STRLEN less a NUL)."""


@dataclass(frozen=True)
class StoredSecret:
    """A secret of the app in the store, without its value. The texts are those of the manual."""

    name: Annotated[str, "variable that the app reads"]
    reference: Annotated[str, "the store's own name of it: an ARN, a resource name, a URI"]
    updated: Annotated[str, "time of the last change; ISO 8601, UTC; empty if unknown"] = ""
    version: Annotated[str, "changes with each new value, and does not tell it"] = ""


class SecretStore(Protocol):
    """The secrets of one app, by the name of the variable that the app reads.

    Each is a resource with the app's labels, so `destroy` finds and removes it. A value never stands in the journal, in
    the configuration or in an argument. Every method raises MldeployError.
    """

    @property
    def limit(self) -> int:
        """The most bytes of a value."""

    def list(self) -> tuple[StoredSecret, ...]:
        """Return the app's secrets, sorted by name."""

    def read(self, name: str) -> Secret | None:
        """Return the newest value, None if there is none."""

    def write(self, name: str, value: Secret, monitor: Monitor) -> StoredSecret:
        """Create the secret or give it a new value. May be repeated. The app reads it from its next version on.

        The value that it has already is no new version. Raises RefusedError if it is too large for the platform.
        """

    def remove(self, name: str, monitor: Monitor) -> bool:
        """Remove it with all of its values; already gone is no error. Return whether there was one."""

    def resources(self, name: str) -> tuple[Resource, ...]:
        """Return what `write` may create, the secret last. It is in the journal before `write` is called. Pure."""


@runtime_checkable
class HasSecretStore(Protocol[CloudT_contra, SettingsT_contra]):
    """A `Runtime` whose platform keeps secrets for its apps."""

    def secrets(self, cloud: CloudT_contra, project: Project, settings: SettingsT_contra) -> SecretStore:
        """The secrets of the app."""


@runtime_checkable
class CreatesSecretHost(Protocol[CloudT_contra, SettingsT_contra]):
    """A `HasSecretStore` whose store is in something that a deployment creates, such as a cluster."""

    def secret_host(self, project: Project, settings: SettingsT_contra) -> Step[CloudT_contra, object]:
        """Return the step of the deployment that creates it. The first access key waits for it."""


@dataclass(frozen=True, eq=False)
class StoredSecretStep(Step[CloudT_contra, None]):
    """A secret that `mldeploy secrets set` has stored: the class that removes it. No graph has it.

    A provider subclasses it for its `kinds`, with a `kind` and an `undo`.
    """

    title: ClassVar[str] = "Store the secret"
    swept: ClassVar[bool] = False

    name: Key

    def key(self) -> Key:
        return self.name

    def probe(self, cloud: CloudT_contra, outs: Outputs) -> Never:
        raise TypeError(f"no graph has a {self.kind}")

    def apply(self, cloud: CloudT_contra, outs: Outputs, seen: object, monitor: Monitor) -> Never:
        raise TypeError(f"no graph has a {self.kind}")


def is_secret_name(name: str) -> bool:
    """Whether a secret can have this name: what POSIX calls a name, of at most 128 characters (XBD 3.216)."""
    return re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,127}", name) is not None


def is_reserved(name: str) -> bool:
    """Whether mldeploy itself sets the variable. Access keys are in the store under such names."""
    return name == "PORT" or name.startswith("MLDEPLOY_")


def given_to_app(stored: Iterable[StoredSecret]) -> tuple[StoredSecret, ...]:
    """Return the secrets that the app gets as variables: all but those of mldeploy itself, such as access keys."""
    return tuple(each for each in stored if not is_reserved(each.name))


def refuse_conflicts(app: App, stored: Iterable[str], referenced: Collection[str] = ()) -> None:
    """Raises ConfigError for a stored secret whose variable is set in another way, too: none takes precedence.

    referenced: the variables that `[target.NAME] secrets` sets.
    """
    own = {name for name, _ in app.env}
    for name in sorted(stored):
        if name in own or name in referenced:
            other = "`[app] env` or the file of `env_file`" if name in own else "the target's `secrets`"
            what = f"is stored with `mldeploy secrets`, and set in {other}, too"
            raise ConfigError(f"secret {name}", what, f"Remove it there, or run `mldeploy secrets unset {name}`.")


def require_size(name: str, value: Secret, limit: int) -> None:
    """Raises RefusedError if the platform does not take a value of this size. limit: bytes of the value."""
    size = len(value.reveal().encode())
    limit = min(limit, VARIABLE_LIMIT - len(name.encode()) - 1)
    if size > limit:
        what = f"has {size:,} bytes; it may have {limit:,} on this target"
        raise RefusedError(f"secret {name}", what, "Keep it in object storage, and store its address and key here.")


def store_secret(
    store: SecretStore, session: Session[object], name: str, value: Secret, monitor: Monitor
) -> StoredSecret:
    """Write a secret. What that may create is in the journal before. Safe to repeat."""
    require_size(name, value, store.limit)
    monitor.check()
    for resource in store.resources(name):
        session.journal.begin(resource)
    return store.write(name, value, monitor)


def remove_secret(store: SecretStore, session: Session[object], name: str, monitor: Monitor) -> bool:
    """Remove a secret, and then its entry in the journal; return whether there was one. Safe to repeat."""
    monitor.check()
    was_there = store.remove(name, monitor)
    session.journal.forget(store.resources(name)[-1])
    return was_there
