"""A rehearsal as its callers see it: where it answers, what faults it is to make, what came in, what it holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import requests

from mldeploy.config.endpoints import Endpoints
from mldeploy.rehearsal import background
from mldeploy.rehearsal.door.faults import Fault
from mldeploy.rehearsal.door.interface import PREFIX, TOKEN, Thing, Transfer
from mldeploy.rehearsal.door.ledger import Call
from mldeploy.rehearsal.place import Place


class Door:
    """The way to a rehearsal's own interface, beside the cloud's."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def ask(
        self, order: str, *, body: object = None, query: Mapping[str, str] | None = None, seconds: float = 60
    ) -> Any:
        """Send an order, `GET calls`; its answer is JSON of ours, whose form the caller knows."""
        method, _, what = order.partition(" ")
        url, headers = f"{self._place.url}{PREFIX}{what}", {TOKEN: self._place.token}
        with requests.Session() as session:
            session.trust_env = False  # no proxy is the way to this machine, and no netrc knows it
            session.verify = self._place.ca_bundle or True
            answer = session.request(method, url, json=body, params=query, headers=headers, timeout=seconds)
        answer.raise_for_status()
        return answer.json()


class Faults:
    """Orders to the front door."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def order(self, *faults: Fault) -> None:
        """From now on; the first of several that strike a call is the one that is made."""
        for fault in faults:
            self._door.ask("POST faults", body=asdict(fault))

    def clear(self) -> None:
        """No faults any more. Whoever is kept waiting for an answer loses the connection."""
        self._door.ask("DELETE faults")

    def struck(self, count: int = 1, *, within: float = 0.0) -> int:
        """How many faults have struck since `clear`; waits up to `within` seconds until there are `count`.

        With a fault that keeps its client waiting this is the moment to kill the client: before the call's effect with
        Kind.TIMEOUT, after it with Kind.LOST.
        """
        query = {"count": str(count), "seconds": str(within)}
        return int(self._door.ask("GET struck", query=query, seconds=within + 60))


class Rehearsal:
    """A rehearsal of a cloud that runs. place: where."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.door = Door(place)
        self.faults = Faults(self.door)

    @property
    def endpoints(self) -> Endpoints:
        """What a provider is given instead of the public cloud."""
        return self.place.endpoints

    def calls(self) -> tuple[Call, ...]:
        """Every API call since the start or the last reset, oldest first."""
        return tuple(Call(**each) for each in self.door.ask("GET calls"))

    def transfers(self) -> tuple[Transfer, ...]:
        """Every request to the registry, likewise."""
        return tuple(Transfer(**each) for each in self.door.ask("GET transfers"))

    def contents(self) -> tuple[Thing, ...]:
        """What somebody has made in the account and not yet removed; what every new account has is left out."""
        return tuple(sorted(Thing(**each) for each in self.door.ask("GET contents")))

    def reset(self) -> None:
        """A new account: no thing, no task, no fault, no call. What was pushed is gone, too."""
        self.door.ask("POST reset")


@contextmanager
def playing(folder: Path, program: str, options: Sequence[str]) -> Iterator[Place]:
    """A rehearsal of one's own until the block ends; also when our process is killed.

    folder: it is made, and removed at the end. program: the module that plays the cloud.
    """
    place, process = background.launch(folder, program, options, tied=True)
    try:
        yield place
    finally:
        with process:  # which closes its stdin: the sign to end
            pass
        background.end(folder)
