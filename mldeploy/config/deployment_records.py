"""What was deployed from where and by whom: a record of each deployment that this machine made.

A file in the app's state folder. A lost one is no error: what an image's own labels say is still known.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

from mldeploy.config.result_file import read_results, remove_results, write_results
from mldeploy.core.errors import StateError
from mldeploy.core.journal import Scope
from mldeploy.core.lock import Holder

FILE = "deployments.json"
MOST = 50
_ACTORS = ("GITHUB_ACTOR", "GITLAB_USER_LOGIN", "BUILD_REQUESTEDFOR")
"""Who started a job of GitHub Actions, GitLab CI or Azure Pipelines."""


@dataclass(frozen=True)
class DeploymentRecord:
    """One deployment. image: as the release names it. commit, branch: "" if unknown. time: ISO 8601, UTC."""

    image: str
    commit: str
    dirty: bool
    branch: str
    deployed_by: str
    time: str


def describe_deployer() -> tuple[str, str]:
    """Return who deploys now, `USER@MACHINE` or the user of the CI system, and the time."""
    me = Holder.me("")
    actor = next(filter(None, (os.environ.get(name, "") for name in _ACTORS)), "")
    return (actor if actor.isprintable() and actor else f"{me.user}@{me.host}"), me.since


def record_deployment(state: Path, scope: Scope, record: DeploymentRecord) -> None:
    """Add the newest deployment. A state folder that cannot be written is no error of a deployment that succeeded."""
    known = read_records(state, scope)
    others = [each for each in known if each.image != record.image]
    with contextlib.suppress(StateError):
        _write(state, scope, (record, *others)[:MOST])


def read_records(state: Path, scope: Scope) -> tuple[DeploymentRecord, ...]:
    """Return the recorded deployments of a scope, newest first, one for each image."""
    listed = _read(state, scope.app).get(_key(scope), [])
    records = []
    for each in listed if isinstance(listed, list) else ():
        with contextlib.suppress(TypeError):
            records.append(DeploymentRecord(**each))
    return tuple(records)


def forget_deployments(state: Path, scope: Scope) -> None:
    """Drop what is recorded of a deployment that is removed. Raises StateError."""
    if _key(scope) in _read(state, scope.app):
        _write(state, scope, ())


def _key(scope: Scope) -> str:
    return "@".join((scope.target, *scope.place))


def _file(state: Path, app: str) -> Path:
    return state / quote(app, safe="") / FILE


def _read(state: Path, app: str) -> Mapping[str, object]:
    kept = read_results(_file(state, app))
    return kept if isinstance(kept, dict) else {}


def _write(state: Path, scope: Scope, records: tuple[DeploymentRecord, ...]) -> None:
    others = {key: value for key, value in _read(state, scope.app).items() if key != _key(scope)}
    after = {**others, _key(scope): [asdict(each) for each in records]} if records else others
    file = _file(state, scope.app)
    write_results(file, after) if after else remove_results(file)
