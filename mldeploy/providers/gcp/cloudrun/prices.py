"""Cost estimates on Cloud Run. A price without a source is reported as unknown.

https://cloud.google.com/run/pricing: CPU and memory by the second, and requests.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mldeploy.config.settings import Project
from mldeploy.providers.capabilities import HOURS_A_MONTH, CostItem, Estimate, UsageCost
from mldeploy.providers.gcp.cloudrun.settings import CloudRunSettings, InstanceSize

SOURCE, DATE = "https://cloud.google.com/run/pricing", "2026-12-01"
TIER_1 = frozenset(
    {
        "asia-east1", "asia-northeast1", "asia-northeast2", "europe-north1", "europe-southwest1", "europe-west1",
        "europe-west4", "europe-west8", "europe-west9", "me-west1", "us-central1", "us-east1", "us-east4", "us-east5",
        "us-south1", "us-west1",
    }
)  # fmt: skip
"""https://cloud.google.com/run/docs/locations. Prices elsewhere are unknown."""
SECONDS_A_MONTH = HOURS_A_MONTH * 3600
RATES = (0, 1, 10)
"""Requests a second."""
REQUEST_SECONDS = 0.1
"""The assumed time of one request: the least that is billed."""
PER_MILLION = 0.40
MIB_IN_GIB = 1024


@dataclass(frozen=True)
class SecondPrice:
    """US dollars: of one vCPU and of one GiB, for a second. memory: None if unknown."""

    cpu: float
    memory: float | None


PRICES: Mapping[str, SecondPrice] = MappingProxyType(
    {"request": SecondPrice(0.000024, 0.0000025), "instance": SecondPrice(0.000018, None)}
)
"""By billing, in tier 1."""

_BY_USE = (
    ("traffic", "by the data that the app sends"),
    ("stored images", "by their size"),
    ("log", "by the size of the app's log"),
)


def estimate_cloudrun(region: str, project: Project, settings: CloudRunSettings) -> Estimate:
    """What a month without requests costs; what a million requests cost, and a month at some rates."""
    return Estimate(region, tuple(_items(settings)), tuple(_usage(region, settings.size(project), settings)))


def _items(settings: CloudRunSettings) -> Iterator[CostItem]:
    minimum = settings.min or 0
    if minimum:
        how = f"min = {minimum}: billed around the clock; the price of an idle instance is not known"
        yield CostItem("idle instances", None, how)
    elif settings.billing == "instance":
        yield CostItem("instances", None, "billed while they live: up to 15 minutes after the last request")
    else:
        yield CostItem("instances without requests", 0.0, "min = 0: none runs, none is billed", SOURCE, DATE)
    if settings.gpu:
        yield CostItem("GPU", None, f"one {settings.gpu} for each instance; the price is not known")
    for what, how in _BY_USE:
        yield CostItem(what, None, how)


def _usage(region: str, size: InstanceSize, settings: CloudRunSettings) -> Iterator[UsageCost]:
    """None where a price is not known."""
    price = PRICES[settings.billing]
    if region not in TIER_1 or price.memory is None or settings.gpu:
        return
    gib = size.memory / MIB_IN_GIB
    million = PER_MILLION + 1e6 * REQUEST_SECONDS * (size.cpu * price.cpu + gib * price.memory)
    how = (
        f"${PER_MILLION:.2f}, and {REQUEST_SECONDS:g} s each x ({size.cpu:g} vCPU x ${price.cpu:f} + {gib:g} GiB x "
        f"${price.memory:.7f}); less where an instance answers several at once"
    )
    yield UsageCost("1 million requests", round(million, 2), how, SOURCE, DATE)
    for rate in RATES:
        dollars = round(rate * SECONDS_A_MONTH / 1e6 * million, 2)
        how = f"{rate * SECONDS_A_MONTH / 1e6:g} million requests, without the free tier"
        unit = "request/s" if rate == 1 else "requests/s"
        yield UsageCost(f"a month at {rate} {unit}", dollars, how, SOURCE, DATE)
