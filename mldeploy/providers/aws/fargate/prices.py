"""Prices of a service on Fargate. A price without a source is reported as unknown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from types import MappingProxyType

from mldeploy.config.settings import Project
from mldeploy.providers.aws.fargate.cluster import GIB
from mldeploy.providers.aws.fargate.settings import FargateSettings
from mldeploy.providers.aws.fargate.task_spec import ARCHITECTURES
from mldeploy.providers.capabilities import HOURS_A_MONTH, CostItem, Estimate, HourlyPrice

ANYWHERE = ""


class FargateProduct(StrEnum):
    """What is billed by the hour."""

    CPU_X86 = "X86_64 vCPU"
    CPU_ARM = "ARM64 vCPU"
    MEMORY_X86 = "X86_64 GB"
    MEMORY_ARM = "ARM64 GB"
    ADDRESS = "public IPv4 address"
    BALANCER = "application load balancer"


_OFFERS = "https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws"
"""AWS's price list. https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/using-the-aws-price-list-bulk-api.html"""
_FARGATE = f"{_OFFERS}/AmazonECS/current/us-east-1/index.csv"
_BALANCER = f"{_OFFERS}/AWSELB/current/us-east-1/index.csv"
_ADDRESS = "https://aws.amazon.com/vpc/pricing/"

PRICES: Mapping[tuple[str, FargateProduct], HourlyPrice] = MappingProxyType(
    {
        ("us-east-1", FargateProduct.CPU_X86): HourlyPrice(0.04048, _FARGATE, "2026-09-11"),
        ("us-east-1", FargateProduct.MEMORY_X86): HourlyPrice(0.004445, _FARGATE, "2026-09-11"),
        ("us-east-1", FargateProduct.CPU_ARM): HourlyPrice(0.03238, _FARGATE, "2026-09-11"),
        ("us-east-1", FargateProduct.MEMORY_ARM): HourlyPrice(0.00356, _FARGATE, "2026-08-17"),
        ("us-east-1", FargateProduct.BALANCER): HourlyPrice(0.0225, _BALANCER, "2026-09-11"),
        (ANYWHERE, FargateProduct.ADDRESS): HourlyPrice(0.005, _ADDRESS, "2026-08-17"),
    }
)
"""By region (`ANYWHERE`: the source names none) and product."""

_BY_USE = (
    ("stored images", "by their size"),
    ("log", "by what the app writes"),
    ("traffic", "by what the app sends"),
)


def estimate_cost(region: str, project: Project, settings: FargateSettings) -> Estimate:
    """What the tasks and what stands before them cost, if they run all month and as few as the settings allow."""
    return Estimate(region, tuple(_list_items(region, project, settings)))


def _list_items(region: str, project: Project, settings: FargateSettings) -> Iterator[CostItem]:
    tasks = settings.instances or settings.min or 1
    size, arm = settings.size(project), ARCHITECTURES.get(project.build.platform) == "ARM64"
    cpu, memory = (
        (FargateProduct.CPU_ARM, FargateProduct.MEMORY_ARM)
        if arm
        else (FargateProduct.CPU_X86, FargateProduct.MEMORY_X86)
    )
    yield _build_item(region, "CPU of the tasks", cpu, tasks, size.cpu / 1024, "vCPU")
    yield _build_item(region, "memory of the tasks", memory, tasks, size.memory / GIB, "GB")
    yield _build_item(region, "addresses of the tasks", FargateProduct.ADDRESS, tasks, 1, "address")
    if settings.is_balanced:
        yield _build_item(region, "load balancer", FargateProduct.BALANCER, 1, 1, "load balancer")
        yield CostItem("addresses of the load balancer", None, "one for each zone that it is in")
        yield CostItem("capacity units of the load balancer", None, "by its traffic")
    if settings.is_balanced and project.rollout.is_canary:
        yield CostItem("tasks of a canary", None, "its share of the tasks; while it is promoted, as many again")
    if settings.requests_certificate:
        yield CostItem("certificate and DNS records", 0.0, "no charge for a public certificate and an alias record")
    for what, how in _BY_USE:
        yield CostItem(what, None, how)


def _build_item(region: str, what: str, product: FargateProduct, count: int, amount: float, unit: str) -> CostItem:
    price = PRICES.get((region, product)) or PRICES.get((ANYWHERE, product))
    how = f"{count} x {amount:g} {unit}"
    if price is None:
        return CostItem(what, None, f"{how}; no price for {region} is known here")
    monthly = round(count * amount * price.hourly * HOURS_A_MONTH, 2)
    return CostItem(what, monthly, f"{how} x {HOURS_A_MONTH} h x ${price.hourly:g}", price.source, price.date)
