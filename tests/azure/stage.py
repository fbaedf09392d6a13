"""The rehearsal of Azure as a stage for the conformance suite."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic

from mldeploy.config.endpoints import Endpoints
from mldeploy.providers.base import Provider
from mldeploy.rehearsal.azure import AzureRehearsal, Fault, Kind
from mldeploy.testing.stage import Blow, Call, CloudT, SettingsT, Strike
from tests.rehearsal.azure.clients import Clients

KINDS = {
    Blow.THROTTLED: Kind.THROTTLE,
    Blow.FAILED: Kind.ERROR,
    Blow.SILENT: Kind.TIMEOUT,
    Blow.LOST: Kind.LOST,
    Blow.CUT_BEFORE: Kind.CUT_BEFORE,
    Blow.CUT_AFTER: Kind.CUT_AFTER,
    Blow.DENIED: Kind.DENIED,
}
METADATA = "Entra/openid-configuration"
ROLE = "Microsoft.Authorization/roleAssignments"


@dataclass(frozen=True)
class AzureStage(Generic[CloudT, SettingsT]):
    """`mldeploy.testing.stage.Stage`. strangers: makes, with the SDK's clients, what is not ours."""

    provider: Provider[CloudT, SettingsT]
    settings: SettingsT
    rehearsal: AzureRehearsal
    strangers: Callable[[Clients], None]

    @property
    def endpoints(self) -> Endpoints:
        return self.rehearsal.endpoints

    def reset(self) -> None:
        self.rehearsal.reset()

    def add_foreign(self) -> None:
        self.strangers(Clients(self.rehearsal))

    def contents(self) -> Sequence[str]:
        """A role assignment is told by what it is on: its own name follows from an identity's, which Azure chooses."""
        things = self.rehearsal.contents()
        return [f"{each.kind} {each.name.partition('/')[0] if each.kind == ROLE else each.name}" for each in things]

    def calls(self) -> Sequence[Call]:
        """All but the look at what Entra tells anybody about itself: it needs no permission that could be missing."""
        return [Call(call.action, call.writing) for call in self.rehearsal.calls() if call.action != METADATA]

    def order(self, strike: Strike) -> None:
        times = 0 if strike.always else 1
        fault = Fault(KINDS[strike.blow], strike.action, strike.skip, times, strike.seconds)
        self.rehearsal.faults.order(fault)

    def struck(self, within: float) -> bool:
        return self.rehearsal.faults.struck(within=within) > 0

    def relent(self) -> None:
        self.rehearsal.faults.clear()
