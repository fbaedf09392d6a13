"""The rehearsal of Google Cloud as a stage for the conformance suite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mldeploy.rehearsal.gcp import GcpRehearsal
from mldeploy.testing.stage import CloudT, SettingsT
from tests.rehearsal.stage import RehearsalStage


@dataclass(frozen=True)
class GcpStage(RehearsalStage[CloudT, SettingsT, GcpRehearsal]):
    """strangers: makes what is not ours."""

    strangers: Callable[[GcpRehearsal], None]

    def add_foreign(self) -> None:
        self.strangers(self.rehearsal)
