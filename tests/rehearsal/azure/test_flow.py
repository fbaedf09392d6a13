"""From an empty subscription to a site that answers, and back."""

from __future__ import annotations

import pytest

from mldeploy.rehearsal.azure import Thing
from tests.rehearsal.azure.clients import Clients
from tests.rehearsal.azure.estate import GROUP, PLAN, SITE, Estate

pytestmark = pytest.mark.engine


def test_a_site_comes_answers_and_goes(azure: Clients, estate: Estate) -> None:
    url = estate.up(estate.deploy())
    assert estate.get(url).json() == {}
    held = azure.rehearsal.contents()
    assert {each.kind for each in held} == {
        "Microsoft.Authorization/roleAssignments",
        "Microsoft.ContainerRegistry/manifests",
        "Microsoft.ContainerRegistry/registries",
        "Microsoft.ManagedIdentity/userAssignedIdentities",
        "Microsoft.Resources/resourceGroups",
        "Microsoft.Web/serverfarms",
        "Microsoft.Web/sites",
    }
    assert next(each for each in held if each.kind == "Microsoft.Web/sites").tags == {"owner": "shop"}
    azure.web.web_apps.delete(GROUP, SITE, delete_empty_server_farm=False)
    with pytest.raises(OSError, match=r"(?i)aborted|disconnected"):
        estate.get(url)
    azure.web.app_service_plans.delete(GROUP, PLAN)
    azure.resources.resource_groups.begin_delete(GROUP).result()
    assert azure.rehearsal.contents() == ()


def test_a_group_goes_with_all_that_is_in_it(azure: Clients, estate: Estate) -> None:
    url = estate.up(estate.deploy())
    azure.resources.resource_groups.begin_delete(GROUP).result()
    assert azure.rehearsal.contents() == ()
    with pytest.raises(OSError, match=r"(?i)aborted|disconnected"):
        estate.get(url)


@pytest.mark.usefixtures("estate")
def test_a_new_subscription_holds_nothing_and_has_registered_nothing(azure: Clients) -> None:
    assert Thing("Microsoft.Web/serverfarms", PLAN) in azure.rehearsal.contents()
    azure.rehearsal.reset()
    assert azure.rehearsal.contents() == ()
    assert azure.rehearsal.calls() == ()
    assert azure.rehearsal.transfers() == ()
    assert azure.resources.providers.get("Microsoft.Web").registration_state == "NotRegistered"
