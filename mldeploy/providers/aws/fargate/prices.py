"""What AWS bills for a service on Fargate. A price that no source was found for is unknown, and is shown so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from mldeploy.config.settings import Project
from mldeploy.providers.aws.fargate.capacity import GIB
from mldeploy.providers.aws.fargate.settings import FargateSettings
from mldeploy.providers.aws.fargate.task_spec import ARCHITECTURES
from mldeploy.providers.costs import HOURS, CostItem, Estimate

ANYWHERE = ""


class Product(StrEnum):
    """What is billed by the hour."""

    CPU_X86 = "X86_64 vCPU"
    CPU_ARM = "ARM64 vCPU"
    MEMORY_X86 = "X86_64 GB"
    MEMORY_ARM = "ARM64 GB"
    ADDRESS = "public IPv4 address"
    BALANCER = "application load balancer"


@dataclass(frozen=True)
class Price:
    """US dollars an hour. date: when it stood there, ISO 8601."""

    hourly: float
    source: str
    date: str


_FARGATE = "https://www.wring.co/blog/aws-fargate-pricing-guide"
_FARGATE_ARM = "https://www.vantage.sh/blog/fargate-pricing"
_BALANCER = "https://aws.amazon.com/elasticloadbalancing/pricing/"
_ADDRESS = "https://nwobodo.me/notes/aws-extra-ipv4-cost-per-hour"

PRICES: Mapping[tuple[str, Product], Price] = MappingProxyType(
    {
        ("us-east-1", Product.CPU_X86): Price(0.04048, _FARGATE, "2026-03-10"),
        ("us-east-1", Product.MEMORY_X86): Price(0.004445, _FARGATE, "2026-03-10"),
        ("us-east-1", Product.CPU_ARM): Price(0.03238, _FARGATE_ARM, "2021-04-22"),
        ("us-east-1", Product.MEMORY_ARM): Price(0.00356, _FARGATE_ARM, "2021-04-22"),
        ("us-east-1", Product.BALANCER): Price(0.0225, _BALANCER, "2026-09-20"),
        (ANYWHERE, Product.ADDRESS): Price(0.005, _ADDRESS, "2024-06-01"),
    }
)
"""By region (`ANYWHERE`: the source names none) and product."""

_BY_USE = (
    ("stored images", "by their size"),
    ("log", "by what the app writes"),
    ("traffic", "by what the app sends"),
)


def estimate(region: str, project: Project, settings: FargateSettings) -> Estimate:
    """What the tasks and what stands before them cost, if they run all month and as few as the settings allow."""
    return Estimate(region, tuple(_items(region, project, settings)))


def _items(region: str, project: Project, settings: FargateSettings) -> Iterator[CostItem]:
    tasks = settings.instances or settings.min or 1
    size, arm = settings.size(project), ARCHITECTURES.get(project.build.platform) == "ARM64"
    cpu, memory = (Product.CPU_ARM, Product.MEMORY_ARM) if arm else (Product.CPU_X86, Product.MEMORY_X86)
    yield _item(region, "CPU of the tasks", cpu, tasks, size.cpu / 1024, "vCPU")
    yield _item(region, "memory of the tasks", memory, tasks, size.memory / GIB, "GB")
    yield _item(region, "addresses of the tasks", Product.ADDRESS, tasks, 1, "address")
    if settings.is_balanced:
        yield _item(region, "load balancer", Product.BALANCER, 1, 1, "load balancer")
        yield CostItem("addresses of the load balancer", None, "one for each zone that it is in")
        yield CostItem("capacity units of the load balancer", None, "by its traffic")
    for what, how in _BY_USE:
        yield CostItem(what, None, how)


def _item(region: str, what: str, product: Product, count: int, amount: float, unit: str) -> CostItem:
    price = PRICES.get((region, product)) or PRICES.get((ANYWHERE, product))
    how = f"{count} x {amount:g} {unit}"
    if price is None:
        return CostItem(what, None, f"{how}; no price for {region} is known here")
    monthly = round(count * amount * price.hourly * HOURS, 2)
    return CostItem(what, monthly, f"{how} x {HOURS} h x ${price.hourly:g}", price.source, price.date)
