"""Which release a rollback goes back to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from mldeploy.providers.errors import AbsentError


class NumberedRelease(Protocol):
    """A release that a platform remembers. failed: it was rolled out and could not serve."""

    @property
    def number(self) -> int: ...

    @property
    def failed(self) -> bool: ...


ReleaseT = TypeVar("ReleaseT", bound=NumberedRelease)


def choose_release(
    app: str, releases: Sequence[ReleaseT], requested: str | None, current: int | None, *, rolled_back: bool
) -> ReleaseT:
    """Return the requested release ("7" or "v7"), else the last one before `current` that served.

    releases: the newest first. current: the number of the release that serves, None if unknown. rolled_back: the last
    deployment failed and was rolled back already. A second rollback would lose one more version, so it must be
    requested. Raises AbsentError if there is no such release.
    """
    if requested is not None:
        return _find_release(app, releases, requested)
    if rolled_back:
        what = f"the last deployment failed, and revision {current} serves again already"
        raise AbsentError(app, what, "Specify a revision to go further back: `mldeploy history` lists them.")
    for each in releases:
        if not each.failed and (current is None or each.number < current):
            return each
    raise AbsentError(app, "there is no earlier release to go back to", "See `mldeploy history`.")


def _find_release(app: str, releases: Sequence[ReleaseT], requested: str) -> ReleaseT:
    for each in releases:
        if requested.lstrip("v") == str(each.number):
            return each
    numbers = ", ".join(str(each.number) for each in releases) or "none"
    raise AbsentError(app, f"there is no revision {requested}", f"There are: {numbers}.")
