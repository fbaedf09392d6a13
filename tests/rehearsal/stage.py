"""Any rehearsal as a stage for the conformance suite."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Generic, TypeVar

from mldeploy.config.endpoints import Endpoints
from mldeploy.providers.base import Provider
from mldeploy.rehearsal.door.faults import Fault, Kind
from mldeploy.rehearsal.rehearsal import Rehearsal
from mldeploy.testing.stage import Blow, Call, CloudT, SettingsT, Strike

RehearsalT = TypeVar("RehearsalT", bound=Rehearsal)
KINDS: Mapping[Blow, Kind] = MappingProxyType(
    {
        Blow.THROTTLED: Kind.THROTTLE,
        Blow.FAILED: Kind.ERROR,
        Blow.SILENT: Kind.TIMEOUT,
        Blow.LOST: Kind.LOST,
        Blow.CUT_BEFORE: Kind.CUT_BEFORE,
        Blow.CUT_AFTER: Kind.CUT_AFTER,
        Blow.DENIED: Kind.DENIED,
    }
)


def fault(strike: Strike) -> Fault:
    """What a front door is ordered to do."""
    return Fault(KINDS[strike.blow], strike.action, strike.skip, 0 if strike.always else 1, strike.seconds)


@dataclass(frozen=True)
class RehearsalStage(Generic[CloudT, SettingsT, RehearsalT]):
    """`mldeploy.testing.stage.Stage`. A cloud says what strangers have there, and what counts as a thing."""

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
        """Make what is not ours."""

    def contents(self) -> Sequence[str]:
        return [f"{thing.kind} {thing.name}" for thing in self.rehearsal.contents()]

    def calls(self) -> Sequence[Call]:
        return [Call(call.action, call.writing) for call in self.rehearsal.calls()]

    def order(self, strike: Strike) -> None:
        self.rehearsal.faults.order(fault(strike))

    def struck(self, within: float) -> bool:
        return self.rehearsal.faults.struck(within=within) > 0

    def relent(self) -> None:
        self.rehearsal.faults.clear()
