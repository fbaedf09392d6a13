"""The sizes of App Service plans, and what each of them can do.

https://learn.microsoft.com/azure/azure-resource-manager/management/azure-subscription-service-limits (App Service)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

SkuName = Literal["F1", "B1", "B2", "B3", "S1", "S2", "S3", "P0v3", "P1v3", "P2v3", "P3v3"]


@dataclass(frozen=True)
class Tier:
    """What all sizes of a tier have in common. most: instances. slots: more than the one that serves."""

    name: str
    most: int
    always_on: bool = True
    slots: bool = False
    autoscale: bool = False


FREE = Tier("Free", 1, always_on=False)
BASIC = Tier("Basic", 3)
STANDARD = Tier("Standard", 10, slots=True, autoscale=True)
PREMIUM = Tier("PremiumV3", 30, slots=True, autoscale=True)

TIERS: Mapping[str, Tier] = MappingProxyType(
    {
        "F1": FREE,
        **dict.fromkeys(("B1", "B2", "B3"), BASIC),
        **dict.fromkeys(("S1", "S2", "S3"), STANDARD),
        **dict.fromkeys(("P0v3", "P1v3", "P2v3", "P3v3"), PREMIUM),
    }
)
