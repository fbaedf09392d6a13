"""The record file of a rehearsal: addresses, credentials and processes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from mldeploy.config.endpoints import Endpoints
from mldeploy.config.secret import Secret
from mldeploy.core.errors import ExitCode, MldeployError
from mldeploy.core.scratch import replace_file

RECORD_FILE = "place.json"
_PUBLIC = frozenset(("tenant_id", "client_id", "subscription_id", "registry_user", "aws_access_key_id", "username"))
"""Credentials that are account names, not secrets."""
_TOLERANCE = 10.0
"""Seconds by which the start of one process may differ. It is counted from the boot, whose time follows the clock's."""
LABEL = "mldeploy.rehearsal"
"""Label on each container of a rehearsal. Its value is the rehearsal's name."""


@dataclass(frozen=True)
class Process:
    """A process. started: seconds since 1970; tells it from a later process with the same id."""

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> Process:
        """Return the process with this id. Raises psutil.NoSuchProcess."""
        return cls(pid, psutil.Process(pid).create_time())

    def find(self) -> psutil.Process | None:
        """Return the process if it still runs."""
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid)
            if abs(process.create_time() - self.started) < _TOLERANCE and process.status() != psutil.STATUS_ZOMBIE:
                return process
        return None


@dataclass(frozen=True)
class Remains:
    """The fields of `RehearsalRecord` that are needed to stop a rehearsal and remove its leftovers."""

    name: str
    registry: str
    processes: tuple[Process, ...]

    @classmethod
    def read(cls, folder: Path) -> Remains | None:
        """Read the record in `folder`, also if another version of mldeploy wrote it."""
        content = _content(folder)
        with suppress(KeyError, TypeError):
            processes = tuple(Process(**each) for each in content["processes"])
            return cls(content["name"], content["registry"], processes)
        return None


@dataclass(frozen=True)
class RehearsalRecord:
    """A rehearsal. It may have ended.

    url: of its gateway. name: the value of LABEL on its containers. token: of the control API. registry: HOST:PORT.
    processes: all processes; stopping the first one stops the others. credentials: valid in this rehearsal only.
    services, ca_bundle: as in `Endpoints`. cloud_url: `Endpoints.url`.
    """

    url: str
    name: str
    region: str
    token: str
    registry: str
    processes: tuple[Process, ...]
    cloud_url: str = ""
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    services: Mapping[str, str] = field(default_factory=dict)
    ca_bundle: str = ""

    @property
    def endpoints(self) -> Endpoints:
        """Endpoints that replace the public cloud's."""
        return Endpoints(
            self.cloud_url,
            tuple((name, Secret(value, is_public=name in _PUBLIC)) for name, value in self.credentials.items()),
            self.region,
            Path(self.ca_bundle) if self.ca_bundle else None,
            tuple(self.services.items()),
        )

    def write(self, folder: Path) -> None:
        """Write the record atomically, readable by this user only."""
        replace_file(folder / RECORD_FILE, json.dumps(asdict(self)))

    @classmethod
    def read(cls, folder: Path) -> RehearsalRecord | None:
        """Read the record in `folder`. Returns None if there is no valid one."""
        content = _content(folder)
        with suppress(KeyError, TypeError):
            processes = tuple(Process(**each) for each in content.pop("processes"))
            return cls(**content, processes=processes)
        return None

    @property
    def is_running(self) -> bool:
        """Whether all its processes run."""
        return all(process.find() for process in self.processes)


def _content(folder: Path) -> dict[str, Any]:
    """Returns an empty dict if there is no readable file."""
    with suppress(OSError, ValueError):
        content = json.loads((folder / RECORD_FILE).read_text(encoding="utf-8"))
        return content if isinstance(content, dict) else {}
    return {}


class RehearsalError(MldeployError):
    """A rehearsal does not start, or does not answer."""

    code = ExitCode.REMOTE


class MissingPackageError(RehearsalError):
    """A rehearsal's process cannot import a package."""

    code = ExitCode.USAGE

    def __init__(self, package: str) -> None:
        super().__init__("rehearsal", f"the Python package {package} is not installed", "Install it.")
        self.package = package
