"""App Service's SKUs, and what each of them can do. Standard: "App Service limits" and "App Service plan overview"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Sku:
    """memory: in MiB. instances, slots: at most; slots besides the production one."""

    name: str
    tier: str
    cores: int
    memory: int
    instances: int
    slots: int = 0
    always_on: bool = True
    autoscale: bool = False


def _basic(name: str, cores: int, memory: int) -> Sku:
    return Sku(name, "Basic", cores, memory, 3)


def _standard(name: str, cores: int, memory: int) -> Sku:
    return Sku(name, "Standard", cores, memory, 10, 5, autoscale=True)


def _premium(name: str, tier: str, cores: int, memory: int) -> Sku:
    return Sku(name, tier, cores, memory, 30, 20, autoscale=True)


_ALL = (
    Sku("F1", "Free", 1, 1024, 1, always_on=False),
    _basic("B1", 1, 1792),
    _basic("B2", 2, 3584),
    _basic("B3", 4, 7168),
    _standard("S1", 1, 1792),
    _standard("S2", 2, 3584),
    _standard("S3", 4, 7168),
    _premium("P1v2", "PremiumV2", 1, 3584),
    _premium("P2v2", "PremiumV2", 2, 7168),
    _premium("P3v2", "PremiumV2", 4, 14336),
    _premium("P0v3", "Premium0V3", 1, 4096),
    _premium("P1v3", "PremiumV3", 2, 8192),
    _premium("P2v3", "PremiumV3", 4, 16384),
    _premium("P3v3", "PremiumV3", 8, 32768),
)
SKUS: Mapping[str, Sku] = MappingProxyType({each.name.lower(): each for each in _ALL})
TIERS = tuple(dict.fromkeys(each.tier for each in _ALL))
USUAL_LIMIT = 10
"""Instances of each tier that a new subscription may have in a region."""
