"""The releases of an app: App Service keeps none of a container's, so the site's tags do.

A tag for each, `mldeploy.release.7`, written in the call that brings it, or before it. A site has room for 50 tags.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

PREFIX = "mldeploy.release."
KEPT = 30


class State(StrEnum):
    """What became of a release."""

    BEGUN = "begun"
    """It was on its way when somebody last looked."""
    SERVED = "served"
    FAILED = "failed"


_STATES = frozenset(each.value for each in State)


@dataclass(frozen=True)
class Entry:
    """One release. digest: its image's. created: ISO 8601, UTC."""

    number: int
    digest: str
    port: int
    created: str
    state: State

    @property
    def tag(self) -> str:
        return f"{PREFIX}{self.number}"

    @property
    def value(self) -> str:
        """As the tag says it: at most 256 characters."""
        return f"{self.digest} {self.port} {self.created} {self.state}"

    def become(self, state: State) -> Entry:
        return replace(self, state=state)


def entries(tags: Mapping[str, str]) -> tuple[Entry, ...]:
    """The newest first. A tag that somebody has changed beyond recognition is no release."""
    found = (_read(name, value) for name, value in tags.items() if name.startswith(PREFIX))
    return tuple(sorted(filter(None, found), key=lambda entry: entry.number, reverse=True))


def of_image(known: tuple[Entry, ...], digest: str) -> Entry | None:
    """The newest release with this image; one that served before one that did not."""
    mine = [entry for entry in known if entry.digest == digest]
    return next((entry for entry in mine if entry.state is State.SERVED), next(iter(mine), None))


def following(known: tuple[Entry, ...], digest: str, port: int) -> Entry:
    """The next release, or the newest one again if it was not seen to its end."""
    newest = next(iter(known), None)
    if newest and newest.digest == digest and newest.port == port and newest.state is State.BEGUN:
        return newest
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Entry(newest.number + 1 if newest else 1, digest, port, now, State.BEGUN)


def tagged(known: tuple[Entry, ...], entry: Entry) -> dict[str, str]:
    """The tags of all releases that are kept, with this one as it is now."""
    others = [each for each in known if each.number != entry.number]
    kept = sorted((entry, *others), key=lambda each: each.number, reverse=True)[:KEPT]
    return {each.tag: each.value for each in kept}


def _read(name: str, value: str) -> Entry | None:
    number, parts = name.removeprefix(PREFIX), value.split(" ")
    if len(parts) != 4 or not number.isdecimal() or not parts[1].isdecimal() or parts[3] not in _STATES:
        return None
    return Entry(int(number), parts[0], int(parts[1]), parts[2], State(parts[3]))
