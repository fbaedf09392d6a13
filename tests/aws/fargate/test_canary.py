"""A canary on Fargate: a second service behind the load balancer, and its weight in the listener."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from mldeploy.core.errors import MldeployError, RefusedError
from mldeploy.core.verbs import DeploymentFailedError
from mldeploy.providers.aws.errors import AwsDeniedError
from mldeploy.providers.aws.fargate.canary import find_canary
from mldeploy.providers.aws.fargate.permissions import NEEDS
from mldeploy.providers.errors import AbsentError, WrongTargetError
from mldeploy.rehearsal.gateway.faults import FaultKind, FaultOrder
from tests.aws.fargate.harness import FargateApp
from tests.aws.fargate.test_conformance import BY_ID

pytestmark = pytest.mark.engine


@pytest.fixture
def balanced(app: FargateApp) -> FargateApp:
    """An app behind a load balancer, deployed by a user who has the printed policy alone."""
    app.configure(ingress="load-balancer")
    app.restrict()
    app.deploy()
    return app


def contents(app: FargateApp) -> Counter[str]:
    """What is in the account; what has an id of AWS's own by its number."""
    by_id = (*BY_ID, "ecs:task-definition")
    listed = app.rehearsal.contents()
    return Counter(each.kind if each.kind in by_id else f"{each.kind} {each.name}" for each in listed)


def states(app: FargateApp) -> list[tuple[str, str]]:
    return [(each.revision, each.state) for each in app.service.releases()]


def second(app: FargateApp) -> None:
    """Place the second version."""
    app.tell(VERSION="two")
    app.place()


def stop_at(app: FargateApp, action: str) -> None:
    """Let the next call fail as if its permission had just been taken away."""
    app.rehearsal.faults.inject(FaultOrder(FaultKind.DENIED, action))


def test_a_promotion_ends_as_a_deployment_does(balanced: FargateApp) -> None:
    before = contents(balanced)
    second(balanced)
    split = balanced.traffic.shift(25, balanced.monitor)
    assert (split.stable.revision, split.candidate.revision, split.percent) == ("1", "2", 25)
    assert states(balanced) == [("2", "candidate"), ("1", "serving")]
    assert len(balanced.service.instances()) == 2
    assert "ecs-service" in balanced.plan()

    balanced.traffic.promote(balanced.monitor)
    assert balanced.plan() == {}
    assert contents(balanced) == before + Counter({"ecs:task-definition": 1})
    assert states(balanced) == [("2", "serving"), ("1", "old")]
    called = {call.action for call in balanced.rehearsal.calls()}
    assert {each for each in called if not each.startswith("iam:")} <= set(NEEDS)


PROMOTION = (
    "elasticloadbalancing:ModifyListener",
    "ecs:UpdateService",
    "ecs:UntagResource",
    "elasticloadbalancing:AddTags",
    "ecs:DeleteService",
    "elasticloadbalancing:DeleteRule",
    "elasticloadbalancing:DeleteTargetGroup",
)
REMOVAL = (
    "elasticloadbalancing:ModifyListener",
    "elasticloadbalancing:AddTags",
    "ecs:DeleteService",
    "ecs:DeregisterTaskDefinition",
    "ecs:DeleteTaskDefinitions",
    "elasticloadbalancing:DeleteRule",
    "elasticloadbalancing:DeleteTargetGroup",
)


def sampled(actions: tuple[str, ...], tried: str) -> list[object]:
    return [each if each == tried else pytest.param(each, marks=pytest.mark.exhaustive) for each in actions]


@pytest.mark.parametrize("action", sampled(PROMOTION, "ecs:DeleteService"))
def test_an_interrupted_promotion_is_finished_by_another_one(balanced: FargateApp, action: str) -> None:
    before = contents(balanced)
    second(balanced)
    balanced.traffic.shift(25, balanced.monitor)
    stop_at(balanced, action)
    with pytest.raises(AwsDeniedError, match="no permission"):
        balanced.traffic.promote(balanced.monitor)
    balanced.traffic.promote(balanced.monitor)
    assert balanced.traffic.split() is None
    assert balanced.plan() == {}
    assert contents(balanced) == before + Counter({"ecs:task-definition": 1})


@pytest.mark.parametrize("action", sampled(REMOVAL, "elasticloadbalancing:DeleteTargetGroup"))
def test_an_interrupted_abort_is_finished_by_another_one(balanced: FargateApp, action: str) -> None:
    before, project = contents(balanced), balanced.project
    second(balanced)
    balanced.traffic.shift(25, balanced.monitor)
    stop_at(balanced, action)
    with pytest.raises(AwsDeniedError, match="no permission"):
        balanced.traffic.abort(balanced.monitor)
    assert balanced.traffic.abort(balanced.monitor)
    balanced.project = project
    assert balanced.plan() == {}
    assert contents(balanced) == before
    assert [each.revision for each in balanced.service.releases()] == ["1"]


@pytest.mark.parametrize(
    "action",
    sampled(
        (
            "ecs:RegisterTaskDefinition",
            "elasticloadbalancing:CreateTargetGroup",
            "elasticloadbalancing:CreateRule",
            "ecs:CreateService",
        ),
        "ecs:CreateService",
    ),
)
def test_a_placement_that_fails_is_no_canary_and_the_next_one_is_complete(balanced: FargateApp, action: str) -> None:
    stop_at(balanced, action)
    with pytest.raises(DeploymentFailedError):
        second(balanced)
    assert balanced.traffic.split() is None
    second(balanced)
    assert balanced.traffic.split() is not None
    balanced.destroy()
    assert {each.kind for each in balanced.rehearsal.contents()} <= {"iam:user"}


def test_what_a_killed_placement_has_left_goes_with_the_next_deployment(balanced: FargateApp) -> None:
    before, project = contents(balanced), balanced.project
    second(balanced)
    info = find_canary(balanced.cloud, balanced.project.app.name)
    assert info is not None
    tag = [{"Key": "mldeploy:canary", "Value": ""}]
    balanced.cloud.elb.add_tags(ResourceArns=[info.group], Tags=tag)  # type: ignore[arg-type]
    assert balanced.traffic.split() is None
    balanced.project = project
    balanced.deploy()
    assert contents(balanced) - before == Counter({"ecs:task-definition": 1})
    assert balanced.plan() == {}


@pytest.mark.exhaustive
def test_another_version_replaces_the_canary_and_gets_no_request_before_it_has_passed(balanced: FargateApp) -> None:
    second(balanced)
    balanced.traffic.shift(50, balanced.monitor)
    balanced.tell(VERSION="three")
    assert balanced.place().revision == "3"
    split = balanced.traffic.split()
    assert split is not None
    assert (split.candidate.revision, split.percent) == ("3", 0)
    assert [each.revision for each in balanced.service.releases()] == ["3", "1"]
    balanced.traffic.abort(balanced.monitor)


@pytest.mark.exhaustive
def test_a_canary_that_misses_the_golden_row_leaves_nothing_to_route_to(balanced: FargateApp) -> None:
    balanced.expect({"prediction": 1})
    with pytest.raises(DeploymentFailedError, match="golden row differs"):
        second(balanced)
    assert find_canary(balanced.cloud, balanced.project.app.name) is None


@pytest.mark.exhaustive
def test_visitors_whose_sessions_are_kept_stay_with_one_version(app: FargateApp) -> None:
    app.configure(ingress="load-balancer")
    app.project = replace(app.project, app=replace(app.project.app, command=("streamlit", "run")))
    assert app.project.app.keeps_sessions
    app.deploy()
    second(app)
    app.traffic.shift(10, app.monitor)
    (balancer,) = app.cloud.elb.describe_load_balancers()["LoadBalancers"]
    (listener,) = app.cloud.elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    assert listener["DefaultActions"][0]["ForwardConfig"]["TargetGroupStickinessConfig"]["Enabled"]


@pytest.mark.exhaustive
def test_a_stopped_app_stops_its_canary(balanced: FargateApp) -> None:
    second(balanced)
    assert balanced.service.stop()
    assert balanced.service.instances() == ()
    balanced.traffic.promote(balanced.monitor)
    assert balanced.service.instances() == ()
    balanced.deploy()
    assert len(balanced.service.instances()) == 1


@pytest.mark.parametrize("change", ["port", "health"])
def test_what_both_versions_must_have_is_refused(balanced: FargateApp, change: str) -> None:
    changed = {"port": 9090} if change == "port" else {"health": "/ready"}
    balanced.project = replace(balanced.project, app=replace(balanced.project.app, **changed))
    with pytest.raises(DeploymentFailedError, match="changes from") as refused:
        balanced.place()
    error = refused.value.failures[0][1]
    assert isinstance(error, RefusedError)
    assert "without a canary" in error.todo
    assert balanced.traffic.split() is None


def test_without_a_load_balancer_a_canary_is_refused_with_the_way_out(app: FargateApp) -> None:
    with pytest.raises(WrongTargetError, match="without a load balancer") as refused:
        app.place()
    assert 'ingress = "load-balancer"' in refused.value.todo
    assert app.traffic.split() is None
    assert not app.traffic.abort(app.monitor)
    with pytest.raises(MldeployError) as absent:
        app.traffic.promote(app.monitor)
    assert isinstance(absent.value, AbsentError)
    assert app.rehearsal.contents() == ()
