"""Canaries on App Service: a slot, a routing rule, and what is left after each command. Sites have no containers."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import requests

from mldeploy.config.errors import ConfigError
from mldeploy.core.errors import RefusedError
from mldeploy.providers.azure.webapp import sites
from mldeploy.providers.azure.webapp.provider import provider
from mldeploy.providers.azure.webapp.settings import WebappSettings
from mldeploy.providers.errors import AbsentError
from mldeploy.rehearsal.azure import AzureRehearsal
from tests.azure.harness import AzureHarness, on_webapp
from tests.tiny import edit, project_of

pytestmark = pytest.mark.engine

SLOT = "Microsoft.Web/sites/slots"
ROUTE = "x-ms-routing-name"


@pytest.fixture
def harness(rehearsal: AzureRehearsal, own: Path, tmp_path: Path) -> AzureHarness:
    return on_webapp(rehearsal, project_of(own), tmp_path / "state", sku="S1")


@pytest.fixture
def beside(harness: AzureHarness, own: Path) -> AzureHarness:
    """A candidate beside the serving version."""
    harness.deploy()
    edit(own)
    harness.project = project_of(own)
    assert harness.scene.place_candidate().release.state == "candidate"
    return harness


def states(harness: AzureHarness) -> list[tuple[str, str]]:
    return [(each.revision, each.state) for each in harness.scene.service.releases()]


def count_routes(url: str, bundle: Path | None, number: int = 400) -> Counter[str]:
    """By which the site says that it answered, of requests without a cookie. None may fail."""
    seen: Counter[str] = Counter()
    for _ in range(number):
        response = requests.get(url, verify=str(bundle), timeout=60)
        assert response.status_code == 200
        seen[response.cookies.get(ROUTE) or ""] += 1
    return seen


def test_a_candidate_gets_its_share_and_then_everything(beside: AzureHarness) -> None:
    traffic, monitor = beside.scene.traffic, beside.scene.monitor
    split = traffic.split()
    assert split is not None
    assert (split.stable.revision, split.candidate.revision, split.percent) == ("1", "2", 0)
    assert states(beside) == [("2", "candidate"), ("1", "serving")]
    assert traffic.shift(50, monitor).percent == traffic.shift(50, monitor).percent == 50
    url = beside.scene.service.url()
    assert url is not None
    seen = count_routes(url, beside.rehearsal.endpoints.ca_bundle, 100)
    assert seen.keys() == {"canary", "self"}
    refused = beside.fail()
    assert isinstance(refused, RefusedError)
    assert "canary promote" in refused.todo
    with pytest.raises(RefusedError):
        beside.scene.service.rollback(None, monitor)
    assert traffic.promote(monitor).url == url
    assert states(beside) == [("2", "serving"), ("1", "old")]
    assert traffic.split() is None
    assert beside.scene.plan().is_noop
    assert beside.kinds()[SLOT] == 0
    with pytest.raises(AbsentError):
        traffic.promote(monitor)
    beside.scene.service.rollback(None, monitor)
    assert states(beside) == [("2", "old"), ("1", "serving")]
    beside.scene.destroy()
    assert beside.rehearsal.contents() == ()


def test_an_aborted_candidate_leaves_nothing(beside: AzureHarness) -> None:
    traffic, monitor = beside.scene.traffic, beside.scene.monitor
    traffic.shift(10, monitor)
    assert traffic.abort(monitor)
    assert not traffic.abort(monitor)
    assert states(beside) == [("2", "failed"), ("1", "serving")]
    assert beside.kinds()[SLOT] == 0
    site = sites.describe_site(beside.cloud, beside.site_slot)
    assert site is not None
    assert site.percent == 0
    with pytest.raises(AbsentError):
        traffic.shift(10, monitor)
    beside.scene.destroy()


def test_each_version_is_reached_whatever_its_share(beside: AzureHarness) -> None:
    """The URL of the site leads to both; a visitor with a cookie stays where that leads."""
    beside.scene.traffic.shift(99, beside.scene.monitor)
    for revision, cookie in (("1", "self"), ("2", "")):
        with beside.scene.traffic.reach(revision) as url:
            bundle = beside.rehearsal.endpoints.ca_bundle if url.startswith("https") else True
            seen = {requests.get(url, verify=str(bundle), timeout=60).cookies.get(ROUTE, "") for _ in range(10)}
            assert seen == {""}, f"{cookie}: it is chosen, so that no other one is given"
    with pytest.raises(AbsentError), beside.scene.traffic.reach("7"):
        pass
    site = beside.scene.service.url()
    assert site is not None
    trust = str(beside.rehearsal.endpoints.ca_bundle)
    with requests.Session() as visitor:
        first = visitor.get(site, verify=trust, timeout=60).cookies.get(ROUTE)
        again = (visitor.get(site, verify=trust, timeout=60) for _ in range(10))
        assert {each.cookies.get(ROUTE, first) for each in again} == {first}
    beside.scene.destroy()


def test_what_a_killed_placement_left_is_removed(beside: AzureHarness) -> None:
    """A candidate without the mark was not examined to the end: it is no canary."""
    cloud, slot = beside.cloud, beside.site_slot.canary
    existing = sites.get_site(cloud, slot)
    assert existing is not None
    untagged = {name: value for name, value in (existing.tags or {}).items() if name != sites.EXAMINED}
    existing.tags = untagged
    cloud.web.web_apps.begin_create_or_update_slot(slot.group, slot.site, slot.slot, existing).result()
    assert beside.scene.traffic.split() is None
    beside.deploy()
    assert beside.kinds()[SLOT] == 0
    assert beside.scene.plan().is_noop
    beside.scene.destroy()


def test_a_size_without_slots_is_refused_with_the_way_out(rehearsal: AzureRehearsal, own: Path, tmp_path: Path) -> None:
    harness = on_webapp(rehearsal, project_of(own), tmp_path / "state")
    settings = harness.settings
    assert isinstance(settings, WebappSettings)
    with pytest.raises(ConfigError) as refused:
        provider.candidate(harness.project, settings)
    assert "B1 has none" in refused.value.what
    assert "S1" in refused.value.todo
    before = len(rehearsal.calls())
    assert provider.traffic(harness.cloud, harness.project, settings).split() is None
    assert {call.action for call in rehearsal.calls()[before:]} <= {"Entra/oauth2/token", "Entra/openid-configuration"}
