"""What a deployment costs a month, as far as it can be said: every price with its source and date, no guesses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings

CloudT_contra = TypeVar("CloudT_contra", contravariant=True)
SettingsT_contra = TypeVar("SettingsT_contra", bound=TargetSettings, contravariant=True)

HOURS = 730
"""In a month of 365 days / 12."""


@dataclass(frozen=True)
class CostItem:
    """One thing that is billed. monthly: US dollars, None if no source says. how: the product, or why it is unknown.

    source: where the price stands, "" if unknown. date: when it was read there, ISO 8601.
    """

    what: str
    monthly: float | None
    how: str
    source: str = ""
    date: str = ""


@dataclass(frozen=True)
class Estimate:
    """What runs for a whole month, without taxes, discounts and free tiers. region: where the prices hold."""

    region: str
    items: tuple[CostItem, ...]

    @property
    def known(self) -> float:
        """The sum of what is known, in US dollars: the least that it costs."""
        return sum(item.monthly or 0.0 for item in self.items)


@runtime_checkable
class HasCosts(Protocol[CloudT_contra, SettingsT_contra]):
    """A provider that can say what its target costs."""

    def costs(self, cloud: CloudT_contra, project: Project, settings: SettingsT_contra) -> Estimate:
        """Makes no call: the prices are in the package."""
