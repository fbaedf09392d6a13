"""The secrets of an app on this machine: a file of the user's state that only the user can read (mode 0600).

It is in no image and no build context. A container gets the values as its environment, as those of `env_file`.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from mldeploy.app.container_spec import sort_by_name
from mldeploy.config.paths import state_folder
from mldeploy.config.secret import Secret
from mldeploy.config.settings import App, Project
from mldeploy.core.errors import StateError
from mldeploy.core.files import STATE_LIMIT, UnreadableError, read_text
from mldeploy.core.journal import Scope
from mldeploy.core.monitor import Monitor
from mldeploy.core.parsing import parse_json
from mldeploy.core.scratch import remove_file, replace_file
from mldeploy.core.step import Key, Resource
from mldeploy.image.cloud import EngineCloud
from mldeploy.image.labels import LOCAL
from mldeploy.providers.secret_store import (
    VARIABLE_LIMIT,
    StoredSecret,
    StoredSecretStep,
    is_reserved,
    refuse_conflicts,
    require_size,
)

_mutex = threading.Lock()
"""`destroy` removes several secrets at the same time. Other processes are kept out by the lock of the app."""


@dataclass(frozen=True)
class _Entry:
    """A secret as it is in the file."""

    value: str
    updated: str
    version: str


@dataclass(frozen=True)
class LocalSecretStore:
    """`mldeploy.providers.secret_store.SecretStore` in a file. Every method raises StateError."""

    app: str
    limit: ClassVar[int] = VARIABLE_LIMIT

    @property
    def path(self) -> Path:
        """Beside the journal. It exists only while there are secrets."""
        return Scope(self.app, LOCAL).file(state_folder()).with_suffix(".secrets")

    def list(self) -> tuple[StoredSecret, ...]:
        return tuple(self._stored(name, entry) for name, entry in sorted(self._read().items()))

    def read(self, name: str) -> Secret | None:
        entry = self._read().get(name)
        return Secret(entry.value) if entry else None

    def write(self, name: str, value: Secret, monitor: Monitor) -> StoredSecret:
        require_size(name, value, self.limit)
        with _mutex:
            entries = self._read()
            entry = entries.get(name)
            if entry is None or entry.value != value.reveal():
                entry = _Entry(value.reveal(), datetime.now(UTC).isoformat(timespec="seconds"), secrets.token_hex(8))
                self._write({**entries, name: entry})
        return self._stored(name, entry)

    def remove(self, name: str, monitor: Monitor) -> bool:
        with _mutex:
            entries = self._read()
            if name not in entries:
                return False
            self._write({other: entry for other, entry in entries.items() if other != name})
        return True

    def resources(self, name: str) -> tuple[Resource, ...]:
        return (Resource(LocalSecret.kind, Key(name, (self.app,))),)

    def values(self) -> Mapping[str, Secret]:
        """Return the values that the app gets, by name."""
        return {name: Secret(entry.value) for name, entry in self._read().items() if not is_reserved(name)}

    def _stored(self, name: str, entry: _Entry) -> StoredSecret:
        return StoredSecret(name, str(self.path), entry.updated, entry.version)

    def _read(self) -> dict[str, _Entry]:
        try:
            document = parse_json(read_text(self.path, limit=STATE_LIMIT))
            return {str(name): _Entry(**entry) for name, entry in dict(document).items()}  # type: ignore[call-overload]
        except FileNotFoundError:
            return {}
        except UnreadableError as error:
            raise StateError(
                str(self.path), f"cannot be read ({error.strerror})", "Correct its permissions."
            ) from error
        except (ValueError, TypeError):
            todo = "Remove it, and set the secrets again with `mldeploy secrets set`."
            raise StateError(str(self.path), "is damaged", todo) from None  # the cause may quote a value

    def _write(self, entries: Mapping[str, _Entry]) -> None:
        try:
            if not entries:
                remove_file(self.path)
                return
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            replace_file(self.path, json.dumps({name: asdict(entry) for name, entry in entries.items()}))
        except OSError as error:
            todo = "Free the disk or correct its permissions, and run the command again."
            raise StateError(str(self.path), f"cannot be written ({error.strerror})", todo) from error


def with_stored_secrets(project: Project) -> Project:
    """Return the project with its stored secrets in the environment. Raises ConfigError for a conflict, StateError."""
    stored = LocalSecretStore(project.app.name).values()
    refuse_conflicts(project.app, stored)
    return replace(project, app=_with_variables(project.app, stored)) if stored else project


def _with_variables(app: App, variables: Mapping[str, Secret]) -> App:
    return replace(app, env=sort_by_name((*app.env, *variables.items())))


@dataclass(frozen=True, eq=False)
class LocalSecret(StoredSecretStep[EngineCloud]):
    """A secret in the file."""

    kind: ClassVar[str] = "local-secret"

    @staticmethod
    def undo(cloud: EngineCloud, key: Key, monitor: Monitor) -> bool:
        (app,) = key.scope
        return LocalSecretStore(app).remove(key.name, monitor)
