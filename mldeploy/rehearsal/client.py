"""Client of a rehearsal's control API: inject faults, read calls and contents, reset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import requests

from mldeploy.config.endpoints import Endpoints
from mldeploy.rehearsal import background
from mldeploy.rehearsal.gateway.call_log import LoggedCall
from mldeploy.rehearsal.gateway.faults import FaultOrder
from mldeploy.rehearsal.gateway.proxy import PREFIX, TOKEN, RegistryTransfer, StandInObject
from mldeploy.rehearsal.record import RehearsalRecord


class ControlClient:
    """Sends requests to a rehearsal's control API."""

    def __init__(self, record: RehearsalRecord) -> None:
        self._record = record
        self._session = requests.Session()  # keep-alive
        self._session.trust_env = False  # no proxies or .netrc for a local address
        self._session.verify = record.ca_bundle or True

    def send(
        self, route: str, *, body: object = None, query: Mapping[str, str] | None = None, seconds: float = 60
    ) -> Any:
        """Send a control request, such as `GET calls`. Returns the JSON content of the response."""
        method, _, path = route.partition(" ")
        url, headers = f"{self._record.url}{PREFIX}{path}", {TOKEN: self._record.token}
        response = self._session.request(method, url, json=body, params=query, headers=headers, timeout=seconds)
        response.raise_for_status()
        return response.json()

    def close(self) -> None:
        """Close the connection. May be repeated; the next request opens it again."""
        self._session.close()


class Faults:
    """Injects faults into API calls."""

    def __init__(self, control: ControlClient) -> None:
        self._control = control

    def inject(self, *faults: FaultOrder) -> None:
        """Inject faults from now on. If several match a call, the first one is injected."""
        for fault in faults:
            self._control.send("POST faults", body=asdict(fault))

    def clear(self) -> None:
        """Remove all faults. Held clients lose their connection."""
        self._control.send("DELETE faults")

    def wait_for_injections(self, count: int = 1, *, within: float = 0.0) -> int:
        """Wait up to `within` seconds until `count` faults were injected since `clear`. Returns their number.

        Use it to kill a client at a defined moment: before the call's effect with FaultKind.TIMEOUT, after it with
        FaultKind.LOST.
        """
        query = {"count": str(count), "seconds": str(within)}
        return int(self._control.send("GET struck", query=query, seconds=within + 60))


class Rehearsal:
    """A running rehearsal of a cloud."""

    def __init__(self, record: RehearsalRecord) -> None:
        self.record = record
        self.control = ControlClient(record)
        self.faults = Faults(self.control)

    @property
    def endpoints(self) -> Endpoints:
        """Endpoints that replace the public cloud's."""
        return self.record.endpoints

    def calls(self) -> tuple[LoggedCall, ...]:
        """List all API calls since the start or the last reset, oldest first."""
        return tuple(LoggedCall(**each) for each in self.control.send("GET calls"))

    def transfers(self) -> tuple[RegistryTransfer, ...]:
        """List all requests to the registry since then, oldest first."""
        return tuple(RegistryTransfer(**each) for each in self.control.send("GET transfers"))

    def contents(self) -> tuple[StandInObject, ...]:
        """List the objects in the account, except those that every new account has."""
        return tuple(sorted(StandInObject(**each) for each in self.control.send("GET contents")))

    def reset(self) -> None:
        """Reset the account: delete all objects, pushed images, faults and calls."""
        self.control.send("POST reset")

    def close(self) -> None:
        """Close the connection to the control API. May be repeated."""
        self.control.close()


@contextmanager
def run_rehearsal(folder: Path, program: str, options: Sequence[str]) -> Iterator[RehearsalRecord]:
    """Run a rehearsal until the block ends or this process is killed.

    folder: created, and removed at the end. program: the stand-in's module.
    """
    record, process = background.launch(folder, program, options, tied=True)
    try:
        yield record
    finally:
        with process:  # closes its stdin, which stops it
            pass
        background.end(folder)
