"""What Microsoft's API descriptions give as examples is read as it is meant, through the SDK's own clients."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.core.credentials import AccessToken
from werkzeug.wrappers import Request, Response

from mldeploy.config import load
from mldeploy.core.events import Event
from mldeploy.core.monitor import Cancel, Monitor
from mldeploy.core.step import Key, Outputs, Resource
from mldeploy.image.engine import Engine
from mldeploy.providers.azure import identity
from mldeploy.providers.azure.account import AzureSubscription
from mldeploy.providers.azure.registry import get_registry
from mldeploy.providers.azure.webapp import autoscale, plan, sites
from mldeploy.providers.azure.webapp.checks import _list_usages
from mldeploy.providers.azure.webapp.cloud import WebappCloud
from mldeploy.providers.azure.webapp.provider import goal
from mldeploy.providers.azure.webapp.rollout import SiteRollout
from mldeploy.providers.azure.webapp.settings import Scaling, WebappSettings
from mldeploy.rehearsal.gateway.serving import Authority, create_server, serve
from mldeploy.testing.promises import Promise, proves

pytestmark = [pytest.mark.engine, proves(Promise.INDEPENDENT, targets=("acr", "webapp"))]

EXAMPLES = json.loads(Path(__file__).with_name("published_examples.json").read_text())["examples"]
PROJECT = load.named("paper", "a test")
SETTINGS = WebappSettings.model_validate(
    {"name": "shop", "registry": "images", "secrets": {"API_KEY": "https://vault.vault.azure.net/secrets/api-key"}}
)
HOST = "127.0.0.1"
GROUP = "G"


class AnyToken:
    """A credential that nobody checks."""

    def get_token(self, *scopes: str, **_options: object) -> AccessToken:
        return AccessToken("token", 4070908800)


@Request.application
def published(request: Request) -> Response:
    """Answer a read with the example for its path; 404 for any other."""
    path = request.path.lower()
    for ending, body in EXAMPLES.items():
        if path.endswith(ending):
            return Response(json.dumps(body), content_type="application/json")
    error = {"error": {"code": "ResourceNotFound", "message": f"{request.path} is no example."}}
    return Response(json.dumps(error), 404, content_type="application/json")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebappCloud]:
    authority = Authority(tmp_path_factory.mktemp("published"))
    server = create_server(HOST, 0, published, authority.context(HOST))
    serve(server)
    account = AzureSubscription(
        "S", "T", "ada", "eastus", AnyToken(), "target.webapp", f"https://{HOST}:{server.port}", authority.bundle
    )
    yield WebappCloud.for_site(Engine.connect(), account, PROJECT, SETTINGS)
    server.shutdown()
    server.server_close()


def test_a_site_and_its_instances(cloud: WebappCloud) -> None:
    at = sites.SiteSlot(GROUP, "shop")
    site = sites.describe_site(cloud, at)
    assert site is not None
    assert (site.url, site.region) == ("https://shop.azurewebsites.net", "eastus")
    assert not site.is_stopped
    assert not site.ours
    assert site.spec.affinity
    assert site.spec.plan.endswith("/serverfarms/farm")
    assert list(sites.list_instances(cloud, at)) == [("134", "READY")]


def test_a_secret_is_named_by_its_id_where_it_has_no_name(cloud: WebappCloud) -> None:
    heard: list[Event] = []
    monitor = Monitor(Resource("web-app", Key("shop")), heard.append, Cancel())
    rollout = SiteRollout(cloud, PROJECT, SETTINGS, sites.SiteSlot(GROUP, "shop"), monitor)
    site = sites.describe_site(cloud, rollout.site_slot)
    assert site is not None
    start = rollout.watch_startup(rollout.site_slot, site.spec, beside=False)
    assert list(start._unresolved_secrets(frozenset(["API_KEY"]))) == [("API_KEY", "SecretNotFound")]


def test_a_plan_and_the_quotas_of_its_region(cloud: WebappCloud) -> None:
    existing = plan.get_plan(cloud, Key("farm", (GROUP,)))
    assert existing is not None
    assert (existing.region, existing.sku, existing.count, existing.state) == ("eastus", "P1", 1, "Succeeded")
    usages = _list_usages(cloud.account)
    assert usages is not None
    assert [(each.current_value, each.limit) for each in usages] == [(55, 250)]


def test_a_registry_an_identity_and_its_role(cloud: WebappCloud) -> None:
    registry = get_registry(cloud, cloud.registry_key)
    assert registry is not None
    assert (registry.address, registry.sku, registry.state, registry.admin, registry.abac) == (
        "images.azurecr.io",
        "Standard",
        "Succeeded",
        False,
        False,
    )
    site = goal(PROJECT, SETTINGS).app
    assert site.role is not None
    step = site.identity
    seen = step.probe(cloud, Outputs(step, {}))
    assert seen is not None
    assert seen.out.client == "4024ab25-0000-4370-aea6-6389221caf29"
    granted = site.role.probe(cloud, Outputs(site.role, {id(step): seen.out, id(site.role.registry): registry}))
    assert granted is not None
    assert not granted.ours
    assert not identity.role_exists(cloud, cloud.registry_key)


def test_an_autoscale_setting(cloud: WebappCloud) -> None:
    setting = autoscale.get_setting(cloud, Key("mldeploy-paper", (GROUP,)))
    assert setting is not None
    assert autoscale.parse_scaling(setting) == Scaling(1, 10, 10)
