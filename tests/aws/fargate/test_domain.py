"""A domain of the user's own on Fargate: certificate, records and HTTPS, as far as they are in the account."""

from __future__ import annotations

import pytest
import requests

from mldeploy.app.client import AppClient
from mldeploy.config.errors import ConfigError
from mldeploy.core.errors import MldeployError, RefusedError
from mldeploy.core.verbs import DeploymentFailedError
from mldeploy.providers.aws.fargate.balancer import find_balancer
from mldeploy.providers.aws.fargate.permissions import NEEDS
from mldeploy.providers.aws.fargate.settings import FargateSettings
from mldeploy.rehearsal.gateway.faults import FaultKind, FaultOrder
from mldeploy.testing.promises import Promise, proves
from tests.aws.fargate.harness import FargateApp

pytestmark = pytest.mark.engine

ZONE, DOMAIN, ELSEWHERE = "example.com", "insurance.example.com", "example.org"
OF_THE_DOMAIN = ("acm:", "route53:")


@pytest.fixture
def named(app: FargateApp) -> FargateApp:
    """An app with a domain, deployed by a user who has the printed policy alone."""
    app.configure(ingress="load-balancer", domain=DOMAIN, rollout_timeout=120)
    app.restrict()
    return app


def create_zone(app: FargateApp, name: str, reference: str = "one") -> str:
    """Create a public zone as the owner of the account; its id."""
    owner = FargateApp(app.rehearsal, app.project, app.state).cloud.dns
    return owner.create_hosted_zone(Name=name, CallerReference=reference)["HostedZone"]["Id"].rpartition("/")[2]


def find_zone_id(app: FargateApp) -> str:
    """The zone that the account has from the beginning."""
    owner = FargateApp(app.rehearsal, app.project, app.state).cloud.dns
    return owner.list_hosted_zones_by_name(DNSName=ZONE)["HostedZones"][0]["Id"].rpartition("/")[2]


def create_record(app: FargateApp, zone: str, kind: str, name: str, value: str) -> None:
    owner = FargateApp(app.rehearsal, app.project, app.state).cloud.dns
    record = {"Name": name, "Type": kind, "TTL": 60, "ResourceRecords": [{"Value": value}]}
    batch = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
    owner.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)  # type: ignore[arg-type]


def objects(app: FargateApp, *kinds: str) -> list[str]:
    return [each.name for each in app.rehearsal.contents() if each.kind.startswith(kinds)]


@proves(Promise.HTTPS, Promise.DOMAIN, targets=("fargate",))
def test_the_domain_answers_https_and_is_removed_with_the_app(named: FargateApp) -> None:
    address = named.deploy()
    assert address.url == f"https://{DOMAIN}"
    assert any("leads there" in each for each in address.remarks)
    balancer = find_balancer(named.cloud, named.project.app.name)
    assert balancer is not None
    trust = named.rehearsal.endpoints.ca_bundle
    with AppClient(f"https://{balancer['DNSName']}", trust, host=DOMAIN) as client:
        client.health(named.project.app.health)
    plain = requests.get(
        f"http://{balancer['DNSName']}/predict?a=1", headers={"Host": DOMAIN}, allow_redirects=False, timeout=60
    )
    assert (plain.status_code, plain.headers["Location"]) == (301, f"https://{DOMAIN}/predict?a=1")
    assert len(objects(named, "route53:record")) == 2
    assert named.plan() == {}
    assert {call.action for call in named.rehearsal.calls() if call.action.startswith(OF_THE_DOMAIN)} <= {
        *NEEDS,
    }
    named.destroy()
    assert objects(named, "acm:", "route53:", "elasticloadbalancing:") == []


@proves(Promise.GOLDEN_ROW, targets=("fargate",))
@pytest.mark.exhaustive
def test_the_golden_row_and_a_canary_go_through_https(named: FargateApp) -> None:
    named.expect({})
    named.deploy()
    named.tell(VERSION="two")
    named.place()
    named.traffic.shift(10, named.monitor)
    split = named.traffic.split()
    assert split is not None
    for release in (split.stable, split.candidate):
        with named.traffic.reach(release.revision) as url, AppClient(url) as client:
            client.health(named.project.app.health)
    named.traffic.promote(named.monitor)
    assert named.plan() == {}


def test_without_a_zone_the_records_are_named_and_waited_for(app: FargateApp) -> None:
    app.configure(ingress="load-balancer", rollout_timeout=1, domain=f"insurance.{ELSEWHERE}")
    app.restrict()
    with pytest.raises(DeploymentFailedError, match="not validated after 1 s") as failed:
        app.deploy()
    todo = str(getattr(failed.value.failures[0][1], "todo", ""))
    record = todo.partition("CNAME ")[2].partition(" → ")[0]
    value = todo.partition(" → ")[2].partition(". Then")[0]
    assert record.endswith(f".insurance.{ELSEWHERE}")
    assert "72 hours" in todo
    assert len(objects(app, "acm:")) == 1

    zone = create_zone(app, ELSEWHERE)
    create_record(app, zone, "CNAME", f"{record}.", f"{value}.")
    app.configure(rollout_timeout=120)
    app.deploy()
    assert len(objects(app, "acm:")) == 1, "the request of the first command is used"
    app.destroy()
    assert objects(app, "acm:", "route53:record") == [f"CNAME {record}."], "the user's record stays"


@pytest.mark.parametrize(("kind", "value"), [("A", "192.0.2.7"), ("CNAME", "elsewhere.example.net.")])
def test_a_domain_that_leads_elsewhere_is_refused_before_a_certificate_or_a_balancer_is_made(
    named: FargateApp, kind: str, value: str
) -> None:
    create_record(named, find_zone_id(named), kind, DOMAIN, value)
    with pytest.raises(RefusedError, match=f"{DOMAIN}: leads to"):
        named.plan()
    with pytest.raises(DeploymentFailedError, match=f"{DOMAIN}: leads to"):
        named.deploy()
    assert objects(named, "acm:", "elasticloadbalancing:loadbalancer") == []


@pytest.mark.exhaustive
def test_the_nearest_zone_holds_the_records_and_two_of_one_name_are_refused(named: FargateApp) -> None:
    nearest = create_zone(named, DOMAIN)
    named.deploy()
    owner = FargateApp(named.rehearsal, named.project, named.state).cloud.dns
    types = {each["Type"] for each in owner.list_resource_record_sets(HostedZoneId=nearest)["ResourceRecordSets"]}
    assert types >= {"A", "CNAME"}
    create_zone(named, DOMAIN, "two")
    with pytest.raises(RefusedError, match="2 public zones"):
        named.plan()


CALLS = (
    "acm:AddTagsToCertificate",
    "acm:DescribeCertificate",
    "acm:RequestCertificate",
    "route53:ChangeResourceRecordSets",
    "route53:ListHostedZonesByName",
    "route53:ListResourceRecordSets",
)


@pytest.mark.parametrize(
    "action",
    [
        each if each == "route53:ChangeResourceRecordSets" else pytest.param(each, marks=pytest.mark.exhaustive)
        for each in CALLS
    ],
)
@pytest.mark.parametrize("kind", [FaultKind.DENIED, pytest.param(FaultKind.LOST, marks=pytest.mark.exhaustive)])
def test_an_interrupted_deployment_is_finished_by_the_next_one(named: FargateApp, action: str, kind: FaultKind) -> None:
    named.rehearsal.faults.inject(FaultOrder(kind, action, seconds=1))
    if kind is FaultKind.DENIED:
        with pytest.raises(MldeployError, match=action):
            named.deploy()
    named.deploy()
    assert len(objects(named, "acm:")) == 1
    assert len(objects(named, "route53:record")) == 2
    named.destroy()
    assert objects(named, "acm:", "route53:record") == []


@pytest.mark.exhaustive
@pytest.mark.parametrize("action", ["acm:DeleteCertificate", "route53:ChangeResourceRecordSets"])
def test_an_interrupted_removal_is_finished_by_the_next_one(named: FargateApp, action: str) -> None:
    named.deploy()
    named.rehearsal.faults.inject(FaultOrder(FaultKind.DENIED, action))
    with pytest.raises(MldeployError, match=action):
        named.destroy()
    named.destroy()
    assert objects(named, "acm:", "route53:record") == []


@pytest.mark.exhaustive
def test_another_domain_takes_the_place_of_the_first_one(named: FargateApp) -> None:
    named.user = None
    named.deploy()
    named.configure(domain=f"other.{ZONE}")
    assert named.deploy().url == f"https://other.{ZONE}"
    assert objects(named, "acm:") == [f"other.{ZONE}"]
    named.configure(domain="")
    assert named.deploy().url.startswith("http://")
    assert objects(named, "acm:", "route53:record") == []


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"domain": DOMAIN}, "needs ingress"),
        ({"domain": f"{'a' * 60}.{ZONE}", "ingress": "load-balancer"}, "is longer than the 64 characters"),
    ],
)
def test_what_cannot_be_is_refused(settings: dict[str, object], what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        FargateSettings.model_validate(settings).check()
