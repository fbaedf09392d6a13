"""Monthly cost estimates on GKE. A price without a source is reported as unknown.

The prices are from Google's pricing pages, confirmed by several sources.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from enum import StrEnum
from types import MappingProxyType

from mldeploy.config.settings import Project
from mldeploy.providers.capabilities import HOURS_A_MONTH, CostItem, Estimate, HourlyPrice
from mldeploy.providers.gcp.gcloud import to_region
from mldeploy.providers.gcp.gke.settings import GkeSettings
from mldeploy.providers.kubernetes.settings import ExposureKind

ANYWHERE = ""
GIB = 2**30


class GkeProduct(StrEnum):
    """Products that are billed by the hour."""

    CLUSTER = "cluster management"
    POD_CPU = "Autopilot vCPU"
    POD_MEMORY = "Autopilot GB"
    RULE = "forwarding rule"


_GKE = "https://cloud.google.com/kubernetes-engine/pricing"
_MACHINES = "https://cloud.google.com/products/compute/pricing/general-purpose"
_BALANCING = "https://cloud.google.com/load-balancing/pricing"

PRICES: Mapping[tuple[str, str], HourlyPrice] = MappingProxyType(
    {
        (ANYWHERE, GkeProduct.CLUSTER): HourlyPrice(0.10, _GKE, "2026-09"),
        ("us-central1", GkeProduct.POD_CPU): HourlyPrice(0.0445, _GKE, "2026-09"),
        ("us-central1", GkeProduct.POD_MEMORY): HourlyPrice(0.0049225, _GKE, "2026-09"),
        ("us-central1", GkeProduct.RULE): HourlyPrice(0.025, _BALANCING, "2026-11-28"),
        ("us-central1", "e2-small"): HourlyPrice(0.016752855, _MACHINES, "2026-09-12"),
        ("us-central1", "e2-medium"): HourlyPrice(0.03350571, _MACHINES, "2026-09-12"),
        ("us-central1", "e2-standard-2"): HourlyPrice(0.06701142, _MACHINES, "2026-09-27"),
        ("us-central1", "e2-standard-4"): HourlyPrice(0.13402284, _MACHINES, "2026-09-27"),
    }
)
"""By region (`ANYWHERE`: the same in each) and product, or machine type."""

_BY_USE = (
    ("traffic", "by the data that the app sends and the load balancer processes"),
    ("stored images", "by their size"),
    ("log", "by the size of the app's log"),
)


def estimate_gke(location: str, project: Project, settings: GkeSettings) -> Estimate:
    """The monthly cost of the cluster and the app, with the minimum number of pods."""
    return Estimate(to_region(location), tuple(_items(to_region(location), project, settings)))


def _items(region: str, project: Project, settings: GkeSettings) -> Iterator[CostItem]:
    if not settings.cluster:
        yield _item(region, "cluster", GkeProduct.CLUSTER, 1, "cluster")
    if settings.cluster:
        yield CostItem("pods", None, f"they run on the nodes of {settings.cluster}")
    elif settings.is_autopilot:
        yield from _pods(region, project, settings)
    else:
        yield from _nodes(region, settings)
    if settings.gpu and not settings.cluster:
        kind = settings.gpu_type or "GPU"
        yield CostItem("GPU", None, f"{settings.gpu} {kind} for each pod; the price is not known")
    if settings.way is ExposureKind.LOAD_BALANCER:
        item = _item(region, "load balancer", GkeProduct.RULE, 1, "forwarding rule")
        yield replace(item, how=f"{item.how}; up to five rules of the project share this price")
    for what, how in _BY_USE:
        yield CostItem(what, None, how)


def _pods(region: str, project: Project, settings: GkeSettings) -> Iterator[CostItem]:
    """Autopilot bills the resource requests of pods."""
    count = settings.instances or settings.min or 1
    cpus = settings.fitting(project).cpu_request or 0.0
    yield _item(region, "CPU of the pods", GkeProduct.POD_CPU, count * cpus, "vCPU")
    yield _item(region, "memory of the pods", GkeProduct.POD_MEMORY, count * project.app.memory / GIB, "GB")


def _nodes(region: str, settings: GkeSettings) -> Iterator[CostItem]:
    total = settings.count_of_nodes * settings.zones
    item = _item(region, "nodes", settings.machine_type, total, settings.machine_type)
    if settings.zones > 1:
        several = f"{settings.count_of_nodes} in each of {settings.zones} zones: {item.how}"
        item = replace(item, how=several)
    yield item
    yield CostItem("disks of the nodes", None, f"{total} of {settings.disk_size} GB, one for each")


def _item(region: str, what: str, product: str, amount: float, unit: str) -> CostItem:
    price = PRICES.get((region, product)) or PRICES.get((ANYWHERE, product))
    if price is None:
        return CostItem(what, None, f"{amount:g} {unit}; the price in {region} is not known")
    monthly = round(amount * price.hourly * HOURS_A_MONTH, 2)
    return CostItem(
        what, monthly, f"{amount:g} {unit} x {HOURS_A_MONTH} h x ${price.hourly:g}", price.source, price.date
    )
