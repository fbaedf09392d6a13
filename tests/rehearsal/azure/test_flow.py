"""From an empty subscription to a site that answers, and back."""

from __future__ import annotations

from mldeploy.image.engine import Engine
from tests.rehearsal.azure.clients import Clients
from tests.rehearsal.azure.estate import GROUP, PLAN, SITE, Estate


def test_a_site_comes_answers_and_goes(azure: Clients, engine: Engine) -> None:
    estate = Estate.made(azure, engine)
    estate.assign()
    site = estate.deploy()
    assert estate.get(estate.up(site)).json() == {}
    azure.web.web_apps.delete(GROUP, SITE, delete_empty_server_farm=False)
    azure.web.app_service_plans.delete(GROUP, PLAN)
    azure.resources.resource_groups.begin_delete(GROUP).result()
    assert azure.rehearsal.contents() == ()
