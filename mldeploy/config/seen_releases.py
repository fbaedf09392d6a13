"""The releases that `mldeploy history` listed last, so that a shell completes them without a request to a cloud.

A file of the user's state. If it is lost, nothing is completed until the next `history`.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Sequence

from mldeploy.config.result_file import read_results, remove_results, result_file, write_results
from mldeploy.core.errors import StateError
from mldeploy.core.journal import Scope

FILE = "releases.json"
MOST = 100


def record_releases(scope: Scope, revisions: Sequence[str]) -> None:
    """Replace what is recorded of a deployment. A state folder that cannot be written is no error of `history`."""
    before = _read(scope.app)
    after = {**before, _key(scope): list(revisions[:MOST])}
    with contextlib.suppress(StateError):
        _write(scope.app, before, {key: listed for key, listed in after.items() if listed})


def recorded_releases(app: str, target: str) -> Sequence[str]:
    """Return the revisions on a target, in every account that `history` was run for, newest first."""
    listed = (revisions for key, revisions in _read(app).items() if key.partition("@")[0] == target)
    return list(dict.fromkeys(itertools.chain.from_iterable(listed)))


def forget_releases(scope: Scope) -> None:
    """Drop what is recorded of a deployment that is removed. Raises StateError."""
    before = _read(scope.app)
    _write(scope.app, before, {key: listed for key, listed in before.items() if key != _key(scope)})


def _key(scope: Scope) -> str:
    return "@".join((scope.target, *scope.place))


def _read(app: str) -> dict[str, list[str]]:
    kept = read_results(result_file(app, FILE))
    pairs = kept.items() if isinstance(kept, dict) else ()
    return {str(target): [str(each) for each in listed] for target, listed in pairs if isinstance(listed, list)}


def _write(app: str, before: dict[str, list[str]], after: dict[str, list[str]]) -> None:
    if after and after != before:
        write_results(result_file(app, FILE), after)
    elif before and not after:
        remove_results(result_file(app, FILE))
