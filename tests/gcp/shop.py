"""An app and a target on Google Cloud, walked in this process, with everything that is told on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mldeploy.providers.checks import Finding
from mldeploy.providers.gcp.gar import GarProvider
from mldeploy.providers.gcp.gcr import GcrProvider
from mldeploy.providers.registry import AnyProvider
from mldeploy.rehearsal.gcp import GcpRehearsal
from tests.gcp.others import Others
from tests.shop import RegistryShop


@dataclass
class GarShop(RegistryShop):
    """On `gar`."""

    provider: ClassVar[AnyProvider] = GarProvider()
    rehearsal: GcpRehearsal

    @property
    def others(self) -> Others:
        return Others(self.rehearsal)

    def look(self) -> dict[str, Finding]:
        """What the doctor says, by subject."""
        found = GarProvider().look(self.project, self.settings, self.endpoints)
        return {each.subject: each for each in found}


@dataclass
class GcrShop(RegistryShop):
    """The same for the old names."""

    provider: ClassVar[AnyProvider] = GcrProvider()
    rehearsal: GcpRehearsal
