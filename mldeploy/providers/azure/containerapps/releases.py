"""The releases of a container app, which one tag of it records.

Container Apps knows which revisions exist, but not which of them have served: `mldeploy.releases` says that.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

TAG = "mldeploy.releases"
LENGTH = 256
"""Characters of a tag's value. https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources"""


class AppReleaseState(StrEnum):
    """What became of a revision. One that the tag does not name: its rollout has not ended."""

    SERVED = "served"
    FAILED = "failed"
    CANDIDATE = "candidate"
    """It has answered the golden row and stands beside the serving one: a canary."""


_STATES = frozenset(each.value for each in AppReleaseState)


def parse_releases(tags: Mapping[str, str] | None) -> dict[int, AppReleaseState]:
    """The state of each recorded release. Invalid entries are ignored."""
    states: dict[int, AppReleaseState] = {}
    for entry in (tags or {}).get(TAG, "").split():
        number, _, state = entry.partition("=")
        if number.isdecimal() and state in _STATES:
            states[int(number)] = AppReleaseState(state)
    return states


def with_state(known: Mapping[int, AppReleaseState], number: int, state: AppReleaseState | None) -> str:
    """The tag's value with the state of one release; None removes it. The oldest entries go if there is no room."""
    states = {each: value for each, value in known.items() if each != number}
    if state is not None:
        states[number] = state
    entries = [f"{each}={states[each]}" for each in sorted(states)]
    while entries and len(" ".join(entries)) > LENGTH:
        del entries[0]
    return " ".join(entries)
