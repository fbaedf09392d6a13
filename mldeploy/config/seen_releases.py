"""The releases that `mldeploy history` listed last, so that a shell completes them without a request to a cloud.

A file of the user's state. If it is lost, nothing is completed until the next `history`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from mldeploy.config.result_file import read_results, remove_results, result_file, write_results
from mldeploy.core.errors import StateError

FILE = "releases.json"
MOST = 100


def record_releases(app: str, target: str, revisions: Sequence[str]) -> None:
    """Replace what is recorded of a target. A state folder that cannot be written is no error of `history`."""
    before = _read(app)
    after = {**before, target: list(revisions[:MOST])}
    with contextlib.suppress(StateError):
        _write(app, before, {name: listed for name, listed in after.items() if listed})


def recorded_releases(app: str, target: str) -> Sequence[str]:
    """Return the revisions that `history` listed last, newest first; none if it never did."""
    return _read(app).get(target, [])


def forget_releases(app: str, target: str) -> None:
    """Drop what is recorded of a deployment that is removed. Raises StateError."""
    before = _read(app)
    _write(app, before, {name: listed for name, listed in before.items() if name != target})


def _read(app: str) -> dict[str, list[str]]:
    kept = read_results(result_file(app, FILE))
    pairs = kept.items() if isinstance(kept, dict) else ()
    return {str(target): [str(each) for each in listed] for target, listed in pairs if isinstance(listed, list)}


def _write(app: str, before: dict[str, list[str]], after: dict[str, list[str]]) -> None:
    if after and after != before:
        write_results(result_file(app, FILE), after)
    elif before and not after:
        remove_results(result_file(app, FILE))
