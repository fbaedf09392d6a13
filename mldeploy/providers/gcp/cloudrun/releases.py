"""The revisions of the service as the app's releases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mldeploy.providers.base import Release
from mldeploy.providers.gcp.cloudrun.cloud import CloudRunCloud
from mldeploy.providers.gcp.cloudrun.services import CloudRunRevisionInfo, RunServiceInfo, list_revisions
from mldeploy.providers.releases import choose_release


@dataclass(frozen=True)
class RunRelease:
    """A revision that `rollback` may go back to. failed: it never passed a trial, or is not ready."""

    number: int
    failed: bool
    revision: CloudRunRevisionInfo


def list_releases(cloud: CloudRunCloud, service: RunServiceInfo) -> tuple[RunRelease, ...]:
    """The newest first."""
    return tuple(
        RunRelease(each.number, _has_failed(each, service), each) for each in list_revisions(cloud) if each.number
    )


def choose(cloud: CloudRunCloud, service: RunServiceInfo, requested: str | None) -> CloudRunRevisionInfo:
    """The revision for a rollback. Raises AbsentError if there is none."""
    releases: Sequence[RunRelease] = list_releases(cloud, service)
    current = next((each.number for each in releases if each.revision.name == service.serving), None)
    # Traffic never moves to a revision that fails: there is nothing that a platform has rolled back already.
    return choose_release(cloud.app, releases, requested, current, rolled_back=False).revision


def to_release(revision: CloudRunRevisionInfo, service: RunServiceInfo) -> Release:
    """`serving` is the revision with the most traffic."""
    has_failed = _has_failed(revision, service)
    serving = revision.name == service.serving and not service.stopped and not has_failed
    state = "serving" if serving else "failed" if has_failed else "old"
    name = str(revision.number or revision.name)
    return Release(name, revision.spec.image, revision.created, state, service.uri if serving else "")


def _has_failed(revision: CloudRunRevisionInfo, service: RunServiceInfo) -> bool:
    return revision.ready is False or revision.name not in service.passed
