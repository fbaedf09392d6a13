"""A golden row on Fargate: a new revision answers it in a task of its own before the service gets it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mldeploy.core.errors import ExitCode
from mldeploy.providers.aws.fargate.header_rule import HEADER
from mldeploy.providers.aws.fargate.permissions import NEEDS
from mldeploy.providers.aws.fargate.tags import resource_name
from mldeploy.providers.aws.fargate.trial_task import STARTED_BY, list_trial_tasks
from mldeploy.testing.promises import Promise, proves
from tests.aws.fargate.harness import FargateApp

pytestmark = pytest.mark.engine


def called(app: FargateApp, since: int = 0) -> list[str]:
    return [call.action for call in app.rehearsal.calls()[since:]]


@proves(Promise.GOLDEN_ROW, Promise.OLD_VERSION, targets=("fargate",))
@pytest.mark.parametrize("ingress", ["load-balancer", pytest.param("public-ip", marks=pytest.mark.exhaustive)])
def test_a_version_that_misses_the_golden_row_never_reaches_the_service(app: FargateApp, ingress: str) -> None:
    app.configure(ingress=ingress)
    app.expect({})
    url = app.deploy().url
    before, since = app.tasks, len(called(app))

    app.tell(VERSION="two")
    app.expect({"prediction": 1})
    verdict = app.fail()
    assert "golden row differs" in verdict.cause
    assert verdict.exit_code is ExitCode.FAILED
    assert "ecs:UpdateService" not in called(app, since)
    assert list_trial_tasks(app.cloud, app.project.app.name) == ()
    assert (app.tasks, app.service.url()) == (before, url)
    assert [each.state for each in app.service.releases()] == ["failed", "serving"]

    app.expect({})
    app.deploy()
    assert not app.tasks & before
    assert [each.state for each in app.service.releases()] == ["serving", "old"]
    assert set(called(app)) <= set(NEEDS)
    _leave_trial(app)
    app.destroy()
    assert app.rehearsal.contents() == ()


def test_the_first_version_is_asked_before_there_is_a_service_and_nothing_is_asked_twice(app: FargateApp) -> None:
    app.expect({"prediction": 1})
    assert "golden row differs" in app.fail().cause
    assert "ecs:CreateService" not in called(app)

    app.expect({})
    app.deploy()
    assert app.plan() == {}
    since, tasks = len(called(app)), app.tasks
    _golden(app).write_text(_golden(app).read_text().replace('"request": {}', '"request": {"age": 19}'))
    assert app.plan() == {"golden-trial": ("golden row not answered → answered",)}
    left = _leave_trial(app)
    app.deploy()
    assert called(app, since).count("ecs:RunTask") == 2, "the one that was left, and the one that answered"
    assert left not in list_trial_tasks(app.cloud, app.project.app.name)
    assert app.tasks == tasks


@pytest.mark.exhaustive
def test_only_requests_with_a_secret_header_go_to_a_trial(app: FargateApp) -> None:
    app.configure(ingress="load-balancer")
    app.expect({})
    app.deploy()
    elb = app.cloud.elb
    (balancer,) = elb.describe_load_balancers()["LoadBalancers"]
    (listener,) = elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    rules = elb.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"]
    (condition,) = [each["HttpHeaderConfig"] for rule in rules for each in rule["Conditions"]]
    assert condition["HttpHeaderName"] == HEADER
    assert len(condition["Values"][0]) > 16
    groups = elb.describe_target_groups()["TargetGroups"]
    (trial,) = [each["TargetGroupArn"] for each in groups if each["TargetGroupName"].endswith("-trial")]
    assert elb.describe_target_health(TargetGroupArn=trial)["TargetHealthDescriptions"] == []


def _golden(app: FargateApp) -> Path:
    assert app.project.check.golden is not None
    return app.project.check.golden


def _leave_trial(app: FargateApp) -> str:
    """Start what a command leaves that is killed in the middle of a trial."""
    service, name = app.described, resource_name(app.project.app.name)
    started = app.cloud.ecs.run_task(
        cluster=name,
        taskDefinition=service["taskDefinition"],
        launchType="FARGATE",
        startedBy=STARTED_BY,
        networkConfiguration=service["networkConfiguration"],
    )
    return started["tasks"][0]["taskArn"]
