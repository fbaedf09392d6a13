"""Secrets in the target's own store: `mldeploy secrets`, and the access keys of `mldeploy keys`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Protocol, TypeVar, runtime_checkable

from mldeploy.config.secret import Secret
from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings
from mldeploy.core.monitor import Monitor

CloudT_contra = TypeVar("CloudT_contra", contravariant=True)
SettingsT_contra = TypeVar("SettingsT_contra", bound=TargetSettings, contravariant=True)


@dataclass(frozen=True)
class StoredSecret:
    """A secret of the app in the store, without its value. The texts are those of the manual."""

    name: Annotated[str, "variable that the app reads"]
    reference: Annotated[str, "the store's own name of it: an ARN, a resource name, a URI"]
    updated: Annotated[str, "time of the last change; ISO 8601, UTC; empty if unknown"] = ""


class SecretStore(Protocol):
    """The secrets of one app, by the name of the variable that the app reads.

    Each is a resource with the app's labels, so `destroy` finds and removes it. A value never stands in the journal, in
    the configuration or in an argument. Every method raises MldeployError.
    """

    def list(self) -> tuple[StoredSecret, ...]:
        """Return the app's secrets, sorted by name."""

    def read(self, name: str) -> Secret | None:
        """Return the newest value, None if there is none."""

    def write(self, name: str, value: Secret, monitor: Monitor) -> StoredSecret:
        """Create the secret or give it a new value. May be repeated. The app reads it from its next version on."""

    def remove(self, name: str, monitor: Monitor) -> bool:
        """Remove it with all of its values; already gone is no error. Return whether there was one."""


@runtime_checkable
class HasSecretStore(Protocol[CloudT_contra, SettingsT_contra]):
    """A `Runtime` whose platform keeps secrets for its apps."""

    def secrets(self, cloud: CloudT_contra, project: Project, settings: SettingsT_contra) -> SecretStore:
        """The secrets of the app."""
