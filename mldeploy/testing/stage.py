"""What a provider gives in order to be tested: itself, and a stand-in of its platform that can be looked into."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, TypeAlias, TypeVar

from mldeploy.config.endpoints import Endpoints
from mldeploy.config.target import TargetSettings
from mldeploy.providers.base import Provider

CloudT = TypeVar("CloudT")
SettingsT = TypeVar("SettingsT", bound=TargetSettings)


class Blow(StrEnum):
    """What can befall a call to a platform."""

    THROTTLED = "throttled"
    FAILED = "failed"
    """The platform's own fault (500). Nothing was done."""
    SILENT = "silent"
    """No answer comes, and nothing was done."""
    LOST = "lost"
    """It was done, and no answer comes."""
    CUT_BEFORE = "cut before"
    """The connection breaks, and nothing was done."""
    CUT_AFTER = "cut after"
    """It was done, and the connection breaks."""
    DENIED = "denied"
    """The caller lacks the permission."""


@dataclass(frozen=True)
class Call:
    """One API call as the platform saw it. action: by the platform's own name. writing: it may change something."""

    action: str
    writing: bool


@dataclass(frozen=True)
class Strike:
    """An order: what befalls calls of one action.

    skip: so many of them pass first. always: every one after those is struck, not just the next. seconds: how long a
    caller without an answer is kept waiting before its connection is closed.
    """

    action: str
    blow: Blow
    skip: int = 0
    always: bool = False
    seconds: float = 60.0


class Stage(Protocol[CloudT, SettingsT]):
    """A provider, and a stand-in to play it on. Nothing else uses the stand-in meanwhile."""

    @property
    def provider(self) -> Provider[CloudT, SettingsT]:
        """What is tested. It must be possible to pickle it: some tests run it in a process of its own."""

    @property
    def settings(self) -> SettingsT:
        """Its table."""

    @property
    def endpoints(self) -> Endpoints:
        """Where the stand-in answers."""

    def reset(self) -> None:
        """A new account: nothing is there, nothing has been called, nothing is ordered."""

    def add_foreign(self) -> None:
        """Make things that mldeploy did not make and must not touch, as like ours as they can be."""

    def contents(self) -> Sequence[str]:
        """Everything that somebody has made there, ours and others', by kind and name; no state, no times."""

    def calls(self) -> Sequence[Call]:
        """Every API call since the last reset, the oldest first."""

    def order(self, strike: Strike) -> None:
        """Counting begins now."""

    def struck(self, within: float) -> bool:
        """Whether any call has been struck since the last `relent`; waits up to `within` seconds for it."""

    def relent(self) -> None:
        """Forget all orders, and let go of whoever is kept waiting."""


AnyStage: TypeAlias = Stage[Any, Any]
"""A stage chosen at run time. Its provider and its settings fit each other, and nobody else looks into them."""
