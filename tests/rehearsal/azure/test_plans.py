"""Plans: what each SKU can do, how many a region has, and that none goes from under its sites."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rehearsal.azure.clients import Clients, catch_error
from tests.rehearsal.azure.estate import GROUP, PLAN, REGION, SITE, Estate, group_in, plan_in

pytestmark = pytest.mark.engine


def test_a_plan_says_what_it_is(azure: Clients) -> None:
    group_in(azure)
    made = plan_in(azure, "S1", 2)
    assert made.sku.tier == "Standard"
    assert made.properties.provisioning_state == "Succeeded"
    plan = azure.web.app_service_plans.get(GROUP, PLAN)
    assert plan.properties is not None
    assert (plan.properties.reserved, plan.properties.number_of_workers) == (True, 2)


@pytest.mark.parametrize(("sku", "count"), [("B1", 4), ("X9", 1), ("F1", 2)])
def test_a_sku_that_there_is_not_is_refused(azure: Clients, sku: str, count: int) -> None:
    group_in(azure)
    assert catch_error(lambda: plan_in(azure, sku, count)) == (400, "BadRequest")


def test_a_region_has_only_so_many(azure: Clients) -> None:
    group_in(azure)
    azure.rehearsal.set_quota("Basic", 1)
    plan_in(azure)
    assert catch_error(lambda: plan_in(azure, name="another")) == (401, "Unauthorized")
    assert catch_error(lambda: plan_in(azure, count=2)) == (401, "Unauthorized")
    plan_in(azure)
    usages = azure.web.get_usages_in_location.list(REGION)
    statuses = {each.name.value: (each.current_value, each.limit) for each in usages if each.name}
    assert statuses["Basic"] == (1, 1)
    assert statuses["Standard"] == (0, 10)


def test_a_plan_with_sites_cannot_be_deleted_and_an_empty_one_goes_with_the_last(
    azure: Clients, estate: Estate
) -> None:
    estate.deploy()
    plans = azure.web.app_service_plans
    assert catch_error(lambda: plans.delete(GROUP, PLAN)) == (409, "Conflict")
    azure.web.web_apps.delete(GROUP, SITE)
    assert catch_error(lambda: plans.get(GROUP, PLAN)) == (404, "ResourceNotFound")
    plans.delete(GROUP, PLAN)


def setting(plan: str, maximum: str = "3") -> Any:
    trigger = {
        "metricName": "CpuPercentage",
        "metricResourceUri": plan,
        "timeGrain": "PT1M",
        "statistic": "Average",
        "timeWindow": "PT5M",
        "timeAggregation": "Average",
        "operator": "GreaterThan",
        "threshold": 70.0,
    }
    action = {"direction": "Increase", "type": "ChangeCount", "value": "1", "cooldown": "PT3M"}
    capacity = {"minimum": "1", "maximum": maximum, "default": "1"}
    profile = {"name": "load", "capacity": capacity, "rules": [{"metricTrigger": trigger, "scaleAction": action}]}
    properties = {"enabled": True, "targetResourceUri": plan, "profiles": [profile]}
    return {"location": REGION, "properties": properties}


def test_autoscaling_needs_a_sku_that_can_do_it(azure: Clients) -> None:
    group_in(azure)
    settings = azure.monitor.autoscale_settings
    small, large = plan_in(azure).id, plan_in(azure, "S1", name="large").id
    path = f"PUT /resourceGroups/{GROUP}/providers/Microsoft.Insights/autoscalesettings/load"
    assert azure.arm(path, setting(small), "2022-10-01").json()["error"]["code"] == "UnsupportedResourceSku"
    assert azure.arm(path, setting(large, maximum="0"), "2022-10-01").json()["error"]["code"] == "BadRequest"
    wrong = setting(large)
    del wrong["properties"]["profiles"][0]["rules"][0]["metricTrigger"]["statistic"]
    assert azure.arm(path, wrong, "2022-10-01").json()["error"]["code"] == "InvalidRequestContent"
    assert azure.arm(path, setting(large), "2022-10-01").status_code == 201
    autoscale = settings.get(GROUP, "load")
    assert autoscale.target_resource_uri == large
    assert autoscale.profiles[0].capacity.maximum == "3"
    settings.delete(GROUP, "load")
    assert catch_error(lambda: settings.get(GROUP, "load")) == (404, "ResourceNotFound")
