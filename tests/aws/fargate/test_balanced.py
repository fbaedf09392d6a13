"""Behind a load balancer, and scaled with the load: as far as the stand-in plays it, which forwards no requests."""

from __future__ import annotations

from pathlib import Path

import pytest

from mldeploy.core import verbs
from mldeploy.core.events import Action, ignore
from mldeploy.core.graph import steps_of
from mldeploy.core.journal import Journal, Scope, Session
from mldeploy.core.monitor import Cancel
from mldeploy.providers.aws.fargate.operations import FargateService
from mldeploy.providers.aws.fargate.provider import provider
from mldeploy.providers.aws.fargate.settings import FargateSettings
from mldeploy.rehearsal.aws import Rehearsal
from mldeploy.testing.promises import Promise, proves
from tests.tiny import project_of

pytestmark = pytest.mark.engine


@proves(Promise.AUTOSCALING, targets=("fargate",))
def test_it_is_made_left_alone_stopped_and_removed(quick: Rehearsal, tiny: Path, tmp_path: Path) -> None:
    quick.reset()
    project = project_of(tiny)
    settings = FargateSettings.model_validate({"ingress": "load-balancer", "min": 2, "max": 3, "target_requests": 100})
    cloud = provider.connect(project, settings, quick.endpoints)
    goal = provider.goal(project, settings)
    assert goal is not None
    scaling = next(step for step in steps_of(goal) if step.kind == "autoscaling")
    service = FargateService(cloud, project, settings)

    with Journal(tmp_path, Scope(project.app.name, "fargate", provider.place(cloud)), "a test") as journal:
        session = Session(cloud, journal, Cancel(), ignore)
        verbs.deploy(scaling, session)
        assert [each.health for each in service.instances()] == ["healthy"] * 2
        name = f"mldeploy-{project.app.name}"
        made = service.cloud.ecs.describe_services(cluster=name, services=[name])
        assert [each["containerPort"] for each in made["services"][0]["loadBalancers"]] == [project.app.port]

        before = len(quick.calls())
        again = verbs.deploy(scaling, session)
        assert {step.action for step in again.steps} == {Action.UNCHANGED}
        assert not [call.action for call in quick.calls()[before:] if call.writing]

        assert service.stop()
        assert service.instances() == ()
        resumed = verbs.deploy(scaling, session)
        changed = {step.resource.kind for step in resumed.steps if step.action is Action.UPDATED}
        assert changed == {"ecs-service", "autoscaling"}
        assert len(service.instances()) == 2

        named = [step.resource for step in steps_of(goal)]
        verbs.destroy(provider.kinds, session, named=named, inventory=lambda: provider.inventory(cloud, project))
    assert quick.contents() == ()
