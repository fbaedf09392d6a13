"""A rehearsal as the provider under test of the conformance suite."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Generic, TypeVar

from mldeploy.config.endpoints import Endpoints
from mldeploy.providers.base import Provider
from mldeploy.rehearsal.client import Rehearsal
from mldeploy.rehearsal.gateway.faults import FaultKind, FaultOrder
from mldeploy.testing.stage import ApiCall, CloudT, Fault, FaultRule, SettingsT

RehearsalT = TypeVar("RehearsalT", bound=Rehearsal)
KINDS: Mapping[Fault, FaultKind] = MappingProxyType(
    {
        Fault.THROTTLED: FaultKind.THROTTLE,
        Fault.FAILED: FaultKind.ERROR,
        Fault.SILENT: FaultKind.TIMEOUT,
        Fault.LOST: FaultKind.LOST,
        Fault.CUT_BEFORE: FaultKind.CUT_BEFORE,
        Fault.CUT_AFTER: FaultKind.CUT_AFTER,
        Fault.DENIED: FaultKind.DENIED,
    }
)


def fault(rule: FaultRule) -> FaultOrder:
    """Convert a fault rule for the gateway."""
    return FaultOrder(KINDS[rule.blow], rule.action, rule.skip, 0 if rule.always else 1, rule.seconds)


@dataclass(frozen=True)
class RehearsalStage(Generic[CloudT, SettingsT, RehearsalT]):
    """A `ProviderUnderTest` on a rehearsal. Subclasses create objects of other owners."""

    provider: Provider[CloudT, SettingsT]
    settings: SettingsT
    rehearsal: RehearsalT

    @property
    def endpoints(self) -> Endpoints:
        return self.rehearsal.endpoints

    def reset(self) -> None:
        self.rehearsal.reset()

    @abstractmethod
    def add_foreign(self) -> None:
        """Create objects of other owners."""

    def contents(self) -> Sequence[str]:
        return [f"{thing.kind} {thing.name}" for thing in self.rehearsal.contents()]

    def calls(self) -> Sequence[ApiCall]:
        return [ApiCall(call.action, call.writing) for call in self.rehearsal.calls()]

    def order(self, rule: FaultRule) -> None:
        self.rehearsal.faults.inject(fault(rule))

    def struck(self, within: float) -> bool:
        return self.rehearsal.faults.wait_for_injections(within=within) > 0

    def clear_faults(self) -> None:
        self.rehearsal.faults.clear()
