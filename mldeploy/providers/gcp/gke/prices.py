"""What Google bills for a cluster and an app in it. A price that no source was found for is unknown, and is shown so.

Google's own pages, as they were read by several who agree with each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType

from mldeploy.config.settings import Project
from mldeploy.providers.costs import HOURS, CostItem, Estimate
from mldeploy.providers.gcp.gcloud import region_of
from mldeploy.providers.gcp.gke.settings import GkeSettings
from mldeploy.providers.kubernetes.settings import Way

ANYWHERE = ""
GIB = 2**30


class Product(StrEnum):
    """What is billed by the hour."""

    CLUSTER = "cluster management"
    POD_CPU = "Autopilot vCPU"
    POD_MEMORY = "Autopilot GB"
    RULE = "forwarding rule"


@dataclass(frozen=True)
class Price:
    """US dollars an hour. date: when it stood there, ISO 8601."""

    hourly: float
    source: str
    date: str


_GKE = "https://cloud.google.com/kubernetes-engine/pricing"
_MACHINES = "https://cloud.google.com/products/compute/pricing/general-purpose"
_BALANCING = "https://cloud.google.com/load-balancing/pricing"

PRICES: Mapping[tuple[str, str], Price] = MappingProxyType(
    {
        (ANYWHERE, Product.CLUSTER): Price(0.10, _GKE, "2026-09"),
        ("us-central1", Product.POD_CPU): Price(0.0445, _GKE, "2026-09"),
        ("us-central1", Product.POD_MEMORY): Price(0.0049225, _GKE, "2026-09"),
        ("us-central1", Product.RULE): Price(0.025, _BALANCING, "2026-11-28"),
        ("us-central1", "e2-small"): Price(0.016752855, _MACHINES, "2026-09-12"),
        ("us-central1", "e2-medium"): Price(0.03350571, _MACHINES, "2026-09-12"),
        ("us-central1", "e2-standard-2"): Price(0.06701142, _MACHINES, "2026-09-27"),
        ("us-central1", "e2-standard-4"): Price(0.13402284, _MACHINES, "2026-09-27"),
    }
)
"""By region (`ANYWHERE`: the same in each) and product, or machine type."""

_BY_USE = (
    ("traffic", "by what the app sends, and what the load balancer takes in"),
    ("stored images", "by their size"),
    ("log", "by what the app writes"),
)


def estimate(location: str, project: Project, settings: GkeSettings) -> Estimate:
    """What the cluster and the app in it cost if they run all month, and as few pods as the settings allow."""
    return Estimate(region_of(location), tuple(_items(region_of(location), project, settings)))


def _items(region: str, project: Project, settings: GkeSettings) -> Iterator[CostItem]:
    if not settings.cluster:
        yield _item(region, "cluster", Product.CLUSTER, 1, "cluster")
    if settings.cluster:
        yield CostItem("pods", None, f"they run on what {settings.cluster} has, or is given for them")
    elif settings.is_autopilot:
        yield from _pods(region, project, settings)
    else:
        yield from _nodes(region, settings)
    if settings.way is Way.LOAD_BALANCER:
        item = _item(region, "load balancer", Product.RULE, 1, "forwarding rule")
        yield replace(item, how=f"{item.how}; up to five of the project cost that together")
    for what, how in _BY_USE:
        yield CostItem(what, None, how)


def _pods(region: str, project: Project, settings: GkeSettings) -> Iterator[CostItem]:
    """Autopilot bills what a pod asks for."""
    count = settings.instances or settings.min or 1
    cpus = settings.fitting(project).cpu_request or 0.0
    yield _item(region, "CPU of the pods", Product.POD_CPU, count * cpus, "vCPU")
    yield _item(region, "memory of the pods", Product.POD_MEMORY, count * project.app.memory / GIB, "GB")


def _nodes(region: str, settings: GkeSettings) -> Iterator[CostItem]:
    total = settings.count_of_nodes * settings.zones
    item = _item(region, "nodes", settings.machine_type, total, settings.machine_type)
    if settings.zones > 1:
        several = f"{settings.count_of_nodes} in each of {settings.zones} zones: {item.how}"
        item = replace(item, how=several)
    yield item
    yield CostItem("disks of the nodes", None, f"{total}, one for each")


def _item(region: str, what: str, product: str, amount: float, unit: str) -> CostItem:
    price = PRICES.get((region, product)) or PRICES.get((ANYWHERE, product))
    if price is None:
        return CostItem(what, None, f"{amount:g} {unit}; no price for {region} is known here")
    monthly = round(amount * price.hourly * HOURS, 2)
    return CostItem(what, monthly, f"{amount:g} {unit} x {HOURS} h x ${price.hourly:g}", price.source, price.date)
