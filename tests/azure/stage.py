"""The rehearsal of Azure as a stage for the conformance suite."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mldeploy.rehearsal.azure import AzureRehearsal
from mldeploy.testing.stage import Call, CloudT, SettingsT
from tests.rehearsal.azure.clients import Clients
from tests.rehearsal.stage import RehearsalStage

METADATA = "Entra/openid-configuration"
ROLE = "Microsoft.Authorization/roleAssignments"


@dataclass(frozen=True)
class AzureStage(RehearsalStage[CloudT, SettingsT, AzureRehearsal]):
    """strangers: makes, with the SDK's clients, what is not ours."""

    strangers: Callable[[Clients], None]

    def add_foreign(self) -> None:
        self.strangers(Clients(self.rehearsal))

    def contents(self) -> Sequence[str]:
        """A role assignment is told by what it is on: its own name follows from an identity's, which Azure chooses."""
        things = self.rehearsal.contents()
        return [f"{each.kind} {each.name.partition('/')[0] if each.kind == ROLE else each.name}" for each in things]

    def calls(self) -> Sequence[Call]:
        """All but the look at what Entra tells anybody about itself: it needs no permission that could be missing."""
        return [call for call in super().calls() if call.action != METADATA]
