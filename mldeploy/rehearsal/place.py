"""Where a rehearsal is: what a process in the background has written down for those who want to talk to it."""

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

FILE = "place.json"
LABEL = "mldeploy.rehearsal"
"""On every container that a rehearsal starts: whose it is."""


@dataclass(frozen=True)
class Process:
    """A process, told from a later one of the same number by when it was started (seconds since 1970)."""

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> Process:
        """The process that has this number now. Raises psutil.NoSuchProcess."""
        return cls(pid, psutil.Process(pid).create_time())

    def find(self) -> psutil.Process | None:
        """It, if it still runs."""
        with suppress(psutil.NoSuchProcess):
            found = psutil.Process(self.pid)
            if abs(found.create_time() - self.started) < 1 and found.status() != psutil.STATUS_ZOMBIE:
                return found
        return None


@dataclass(frozen=True)
class Remains:
    """What it takes to end a rehearsal and to remove what it has left. The fields are as in `Place`."""

    name: str
    registry: str
    processes: tuple[Process, ...]

    @classmethod
    def read(cls, folder: Path) -> Remains | None:
        """What stands in the folder, also where another version of mldeploy wrote it in another form."""
        content = _content(folder)
        with suppress(KeyError, TypeError):
            processes = tuple(Process(**each) for each in content["processes"])
            return cls(content["name"], content["registry"], processes)
        return None


@dataclass(frozen=True)
class Place:
    """A rehearsal that runs, or ran.

    url: its front door. name: the value of LABEL on its containers. token: what its own interface asks for. registry:
    HOST:PORT. processes: all that it consists of, the one that ends the others first. credentials: what its callers
    show it; they are good nowhere else. services, ca_bundle: as in `Endpoints`. cloud_url: what `Endpoints.url` is.
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
        """What a provider is given instead of the public cloud."""
        return Endpoints(
            self.cloud_url,
            tuple((name, Secret(value)) for name, value in self.credentials.items()),
            self.region,
            Path(self.ca_bundle) if self.ca_bundle else None,
            tuple(self.services.items()),
        )

    def write(self, folder: Path) -> None:
        """At once or not at all, and for nobody else to read."""
        path = folder / FILE
        draft = path.with_suffix(".new")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(asdict(self)), encoding="utf-8")
        draft.replace(path)

    @classmethod
    def read(cls, folder: Path) -> Place | None:
        """What stands in the folder; None if nothing does that can be understood."""
        content = _content(folder)
        with suppress(KeyError, TypeError):
            processes = tuple(Process(**each) for each in content.pop("processes"))
            return cls(**content, processes=processes)
        return None

    @property
    def is_running(self) -> bool:
        """All its processes are there."""
        return all(process.find() for process in self.processes)


def _content(folder: Path) -> dict[str, Any]:
    """Empty where nothing can be read."""
    with suppress(OSError, ValueError):
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return content if isinstance(content, dict) else {}
    return {}
