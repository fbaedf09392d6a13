"""The interface of a provider under test: the provider and a stand-in of its platform that can be inspected."""

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


class Fault(StrEnum):
    """A fault in a call to a platform."""

    THROTTLED = "throttled"
    FAILED = "failed"
    """Server error (500). The call had no effect."""
    SILENT = "silent"
    """No response. The call had no effect."""
    LOST = "lost"
    """No response. The call had its effect."""
    CUT_BEFORE = "cut before"
    """The connection is closed. The call had no effect."""
    CUT_AFTER = "cut after"
    """The connection is closed. The call had its effect."""
    DENIED = "denied"
    """The caller lacks the permission."""


@dataclass(frozen=True)
class ApiCall:
    """One API call. action: the platform's name of it. writing: it may change something."""

    action: str
    writing: bool


@dataclass(frozen=True)
class FaultRule:
    """A fault for calls of one action.

    skip: the number of calls that pass first. always: all later calls fail, not only the next one. seconds: how long a
    call without a response waits before its connection is closed.
    """

    action: str
    blow: Fault
    skip: int = 0
    always: bool = False
    seconds: float = 60.0


class ProviderUnderTest(Protocol[CloudT, SettingsT]):
    """A provider and a stand-in of its platform, which nothing else uses at the same time."""

    @property
    def provider(self) -> Provider[CloudT, SettingsT]:
        """The provider. Must be picklable: some tests run it in another process."""

    @property
    def settings(self) -> SettingsT:
        """The settings of its target."""

    @property
    def endpoints(self) -> Endpoints:
        """The stand-in's addresses."""

    def reset(self) -> None:
        """Start with an empty account: no resources, no calls, no faults."""

    def add_foreign(self) -> None:
        """Create resources that mldeploy must not touch, as similar to its own as possible."""

    def contents(self) -> Sequence[str]:
        """Return all resources by kind and name, without state and times."""

    def calls(self) -> Sequence[ApiCall]:
        """Return all API calls since the last reset, oldest first."""

    def order(self, strike: FaultRule) -> None:
        """Add a fault. Its `skip` counts calls from now on."""

    def struck(self, within: float) -> bool:
        """Whether a fault has occurred since the last `clear_faults`. Waits up to `within` seconds for it."""

    def clear_faults(self) -> None:
        """Remove all faults and release calls that wait."""


AnyStage: TypeAlias = ProviderUnderTest[Any, Any]
"""A provider under test whose types are not known statically."""
