"""A service on Fargate in operation: after a crash, with another number of tasks, stopped, behind something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from mldeploy.rehearsal.aws import Rehearsal
from mldeploy.testing.promises import Promise, proves
from tests.aws.fargate.harness import FargateApp
from tests.tiny import project_of

pytestmark = pytest.mark.engine


@proves(Promise.SCALE, Promise.STOP, targets=("fargate",))
def test_a_crash_is_not_held_against_what_is_ordered_later_and_a_stop_keeps_the_number(app: FargateApp) -> None:
    """ECS lists a task that has crashed for an hour, and its deployment is still the service's."""
    app.crash(app.deploy().url)
    survivor = app.tasks

    app.service.scale(2, app.monitor)
    assert [each.health for each in app.service.instances()] == ["healthy"] * 2
    assert survivor < app.tasks
    assert not any("the old" in text for text in app.progress), "there is no old version"

    app.service.stop()
    assert app.tasks == set()
    app.deploy()
    assert len(app.tasks) == 2, "as many as were stopped"

    before, since = app.tasks, len(app.rehearsal.calls())
    app.configure(instances=3)
    app.deploy()
    assert before < app.tasks, "every task that ran goes on"
    assert len(app.tasks) == 3
    assert "ecs:RegisterTaskDefinition" not in [call.action for call in app.rehearsal.calls()[since:]]


def test_the_ingress_is_changed_in_place_and_back(app: FargateApp) -> None:
    """ECS takes the grace period only of a service that is behind a load balancer already."""
    direct = app.deploy().url
    assert app.described["availabilityZoneRebalancing"] == "DISABLED"
    app.configure(ingress="load-balancer")
    reason = "reached at the task's own address → through the load balancer; the tasks are started anew"
    assert reason in app.plan()["ecs-service"]
    balanced = app.deploy().url
    assert balanced != direct
    described = app.described
    assert described["healthCheckGracePeriodSeconds"] == round(app.project.check.start_timeout)
    assert described["availabilityZoneRebalancing"] == "ENABLED"
    assert [each.url for each in app.service.instances()] == [""], "only the load balancer can reach it"

    app.configure(ingress="public-ip")
    again = app.deploy().url
    assert [each.url for each in app.service.instances()] == [again]
    assert app.described["loadBalancers"] == []
    assert app.plan() == {}


def test_a_new_account_in_a_busy_region(fresh: Rehearsal, tiny: Path, tmp_path: Path) -> None:
    """Late service-linked roles, first answers that are missing, two subnets in a zone, few vCPUs, silent logs."""
    app = FargateApp(fresh, project_of(tiny), tmp_path / "state")
    app.configure(ingress="load-balancer", cpu=2048, memory=4096)
    app.expect({})
    app.deploy()
    assert len(app.service.instances()) == 1
    app.tell(VERSION="two")
    app.expect({"prediction": 1})
    assert "golden row differs" in app.fail().cause, "the verdict does without a log that cannot be read"
    app.destroy()
    assert fresh.contents() == ()


@pytest.mark.exhaustive
@pytest.mark.timeout(900)
def test_fifty_five_releases_in_a_row(app: FargateApp) -> None:
    app.expect({})
    for number in range(55):
        app.tell(VERSION=str(number))
        app.deploy()
    assert app.plan() == {}
    releases = app.service.releases()
    assert releases[0].state == "serving"
    app.service.rollback(None, app.monitor)
    app.destroy()
    assert app.rehearsal.contents() == ()
