"""Two releases side by side: how a provider starts a new version beside the serving one and divides the requests."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Step
from mldeploy.providers.base import Address, Release

CloudT_contra = TypeVar("CloudT_contra", contravariant=True)
SettingsT_contra = TypeVar("SettingsT_contra", bound=TargetSettings, contravariant=True)


@dataclass(frozen=True)
class Candidate:
    """A new version that runs beside the serving one, has answered its golden row, and gets no requests yet.

    release: as `history` will list it. url: where it alone answers; "" where only `Traffic.reach` leads to it.
    """

    release: Release
    url: str = ""


@dataclass(frozen=True)
class TrafficSplit:
    """How the requests are divided between two releases.

    percent: the candidate's share as the platform applies it, 0 to 100. ratio: how that share comes about where the
    platform does not split by weight ("1 of 8 pods"); empty where it does.
    """

    stable: Release
    candidate: Release
    percent: float
    ratio: str = ""


class Traffic(Protocol):
    """Divides the requests of one app. What it knows is read from the platform, so any machine can go on with it."""

    def split(self) -> TrafficSplit | None:
        """Return the split now, None while one release gets everything and none stands beside it."""

    def shift(self, percent: int, monitor: Monitor) -> TrafficSplit:
        """Give the candidate so many percent, 1 to 99, and return once that is in effect. May be repeated.

        Raises AbsentError if there is no candidate.
        """

    def promote(self, monitor: Monitor) -> Address:
        """Give the candidate everything and make it the serving release; the other one is kept for `rollback`.

        May be repeated after a crash. Raises AbsentError if there is no candidate.
        """

    def abort(self, monitor: Monitor) -> bool:
        """Give the stable release everything and remove the candidate; True if there was one. May be repeated."""

    def reach(self, revision: str) -> AbstractContextManager[str]:
        """A URL at which one release answers from this machine while the context is open, whatever its share.

        Raises AbsentError if that release does not run.
        """


@runtime_checkable
class CanSplitTraffic(Protocol[CloudT_contra, SettingsT_contra]):
    """A `Runtime` whose platform can run two releases at once: `mldeploy deploy --canary`, `mldeploy canary`.

    While a candidate stands, `goal` of a plain `deploy` raises, and names `canary promote` and `canary abort`.
    """

    def candidate(self, project: Project, settings: SettingsT_contra) -> Step[CloudT_contra, Candidate]:
        """The last step of a graph that starts the new version beside the serving one. Pure.

        It replaces an earlier candidate that is another version. Its walk raises AbsentError where nothing serves yet.
        A version that serves already is returned as it is, and nothing is placed beside it.
        """

    def traffic(self, cloud: CloudT_contra, project: Project, settings: SettingsT_contra) -> Traffic:
        """The requests of the running app."""
