"""The rehearsal of Google Cloud as a stage for the conformance suite."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic

from mldeploy.config.endpoints import Endpoints
from mldeploy.providers.base import Provider
from mldeploy.rehearsal.gcp import Fault, GcpRehearsal, Kind
from mldeploy.testing.stage import Blow, Call, CloudT, SettingsT, Strike

KINDS = {
    Blow.THROTTLED: Kind.THROTTLE,
    Blow.FAILED: Kind.ERROR,
    Blow.SILENT: Kind.TIMEOUT,
    Blow.LOST: Kind.LOST,
    Blow.CUT_BEFORE: Kind.CUT_BEFORE,
    Blow.CUT_AFTER: Kind.CUT_AFTER,
    Blow.DENIED: Kind.DENIED,
}


@dataclass(frozen=True)
class GcpStage(Generic[CloudT, SettingsT]):
    """`mldeploy.testing.stage.Stage`. strangers: makes what is not ours."""

    provider: Provider[CloudT, SettingsT]
    settings: SettingsT
    rehearsal: GcpRehearsal
    strangers: Callable[[GcpRehearsal], None]

    @property
    def endpoints(self) -> Endpoints:
        return self.rehearsal.endpoints

    def reset(self) -> None:
        self.rehearsal.reset()

    def add_foreign(self) -> None:
        self.strangers(self.rehearsal)

    def contents(self) -> Sequence[str]:
        return [f"{thing.kind} {thing.name}" for thing in self.rehearsal.contents()]

    def calls(self) -> Sequence[Call]:
        return [Call(call.action, call.writing) for call in self.rehearsal.calls()]

    def order(self, strike: Strike) -> None:
        times = 0 if strike.always else 1
        fault = Fault(KINDS[strike.blow], strike.action, strike.skip, times, strike.seconds)
        self.rehearsal.faults.order(fault)

    def struck(self, within: float) -> bool:
        return self.rehearsal.faults.struck(within=within) > 0

    def relent(self) -> None:
        self.rehearsal.faults.clear()
