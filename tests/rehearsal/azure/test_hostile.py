"""Whatever is sent, it is answered in Azure's words: what is wrong is the caller's fault, never the stand-in's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.rehearsal.azure.clients import Clients
from tests.rehearsal.azure.estate import GROUP, PLAN, REGION, REGISTRY, SITE, Estate

pytestmark = pytest.mark.engine
_PROVIDERS = f"/resourceGroups/{GROUP}/providers"
_SITE = f"{_PROVIDERS}/Microsoft.Web/sites/{SITE}"
_REGISTRY = f"{_PROVIDERS}/Microsoft.ContainerRegistry/registries/{REGISTRY}"
_ROLE = f"{_REGISTRY}/providers/Microsoft.Authorization/roleAssignments/6f1b0c3e-52a4-4c8e-9d0b-0a5e7c1d4f21"
ORDERS = {
    f"PUT /resourceGroups/{GROUP}": "2025-04-01",
    f"PATCH {_REGISTRY}/providers/Microsoft.Resources/tags/default": "2025-04-01",
    f"PUT {_REGISTRY}": "2025-11-01",
    f"PATCH {_REGISTRY}": "2025-11-01",
    "POST /providers/Microsoft.ContainerRegistry/checkNameAvailability": "2025-11-01",
    f"PUT {_PROVIDERS}/Microsoft.ManagedIdentity/userAssignedIdentities/i": "2024-11-30",
    f"PUT {_ROLE}": "2022-04-01",
    f"PUT {_PROVIDERS}/Microsoft.Insights/autoscalesettings/a": "2022-10-01",
    f"PUT {_PROVIDERS}/Microsoft.Web/serverfarms/{PLAN}": "2025-05-01",
    f"PATCH {_PROVIDERS}/Microsoft.Web/serverfarms/{PLAN}": "2025-05-01",
    "POST /providers/Microsoft.Web/checknameavailability": "2025-05-01",
    f"PUT {_SITE}": "2025-05-01",
    f"PATCH {_SITE}": "2025-05-01",
    f"PUT {_SITE}/slots/staging": "2025-05-01",
    f"PATCH {_SITE}/config/web": "2025-05-01",
    f"PUT {_SITE}/config/appsettings": "2025-05-01",
    f"PUT {_SITE}/config/logs": "2025-05-01",
    f"POST {_SITE}/slotsswap": "2025-05-01",
    f"POST {_SITE}/no-such-thing": "2025-05-01",
    "POST /providers/Microsoft.Nonsense/register": "2025-04-01",
}


def bodies() -> Iterator[object]:
    """Nothing, and too much; what is of a wrong kind, at every depth."""
    yield from (None, {}, [], "text", 5, {"nonsense": 1}, {"location": 5}, {"location": "moon"}, {"tags": []})
    inners: tuple[object, ...] = (
        None,
        [],
        "text",
        5,
        {},
        {"nonsense": 1},
        {"siteConfig": []},
        {"siteConfig": {"appSettings": {}}},
    )
    for inner in inners:
        yield {"location": REGION, "sku": {"name": "B1"}, "properties": inner}
    yield {"location": REGION, "sku": {"name": 5}}
    yield {"location": REGION, "sku": {"name": "B1", "capacity": "two"}}
    yield {
        "location": REGION,
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {"x": None}},
        "properties": {},
    }
    yield {"location": REGION, "properties": {"profiles": [{"name": "x", "capacity": {}, "rules": [1]}]}}
    yield {"properties": {"principalId": "x", "roleDefinitionId": ""}}
    yield {"name": "", "type": ""}
    yield {"targetSlot": "", "preserveVnet": True}
    yield {"operation": "Merge", "properties": {"tags": {"a": 1}}}


def sent(estate: Estate, every: int) -> None:
    """Raises AssertionError if the stand-in fails at any of every so many."""
    estate.up(estate.deploy())
    cases = [(order, version, body) for order, version in ORDERS.items() for body in bodies()]
    failed = [
        f"{order} {body}: {answer.status_code}"
        for order, version, body in cases[::every]
        if (answer := estate.azure.arm(order, body, version)).status_code >= 500
    ]
    assert not failed, "\n".join(failed)
    assert estate.azure.arm(f"GET {_SITE}").ok


def test_nothing_of_some_that_is_sent_makes_it_fail(estate: Estate) -> None:
    sent(estate, every=7)


@pytest.mark.exhaustive
def test_nothing_of_all_that_is_sent_makes_it_fail(estate: Estate) -> None:
    sent(estate, every=1)


def test_what_is_no_json_is_said_to_be_none(azure: Clients) -> None:
    assert (
        azure.arm(f"PUT /resourceGroups/{GROUP}", [], "2025-04-01").json()["error"]["code"] == "InvalidRequestContent"
    )
