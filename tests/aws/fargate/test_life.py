"""An app on Fargate from its first version to its last, in real containers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from mldeploy.app.verdict import VerdictError
from mldeploy.core.errors import ExitCode
from mldeploy.core.verbs import DeploymentFailedError
from mldeploy.providers.aws.fargate.permissions import NEEDS
from mldeploy.providers.aws.fargate.provider import provider
from mldeploy.providers.aws.fargate.settings import FargateSettings
from mldeploy.rehearsal.aws import Rehearsal
from mldeploy.testing.canary import CanarySuite
from mldeploy.testing.life import FIRST, AppLife, LifeSuite, RolloutSuite
from mldeploy.testing.load import ZeroDowntimeSuite
from mldeploy.testing.promises import Promise, proves
from mldeploy.testing.sample import ROUTE, SampleVersion
from mldeploy.testing.secrets import SecretArrivalSuite
from tests.aws.fargate.test_conformance import FargateStage, strangers
from tests.aws.harness import session
from tests.kubernetes.test_trial_traffic import Crowd
from tests.sampled import Sampled

GREETING = "s3cr3t-greeting"
BY_HAND = {
    "ecr:BatchDeleteImage",
    "ecr:ListImages",
    "secretsmanager:CreateSecret",
    "secretsmanager:DeleteSecret",
}
"""What the tests themselves call."""


def staged(rehearsal: Rehearsal, **settings: object) -> FargateStage:
    return FargateStage(provider, FargateSettings.model_validate(settings), rehearsal, strangers)


class OnFargate(Sampled, LifeSuite):
    """Tasks with public addresses."""

    target = "fargate"
    unsupported = frozenset({Promise.EXEC})

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, running: Rehearsal) -> FargateStage:
        return staged(running)

    @pytest.fixture(autouse=True)
    def _is_all_in_the_policy(self, life: AppLife, running: Rehearsal) -> Iterator[None]:
        """Whatever was called, also to roll back and to scale, `mldeploy policy` knows."""
        yield
        assert {call.action for call in running.calls()} - BY_HAND <= set(NEEDS)


@pytest.mark.engine
@pytest.mark.exhaustive
class TestSecretsArrive(OnFargate, SecretArrivalSuite):
    """From Secrets Manager."""


@pytest.mark.engine
class TestFargate(OnFargate, RolloutSuite):
    """What every provider must pass, and what is Fargate's own."""

    def test_a_secret_is_given_by_reference_alone(self, life: AppLife, running: Rehearsal) -> None:
        """The app has its value; the task definition and the journal have its name."""
        aws = session(running)
        keeper = aws.client("secretsmanager", endpoint_url=running.endpoints.url)
        arn = keeper.create_secret(Name="greeting", SecretString=GREETING)["ARN"]
        secretive = replace(life, stage=staged(running, secrets={"GREETING": arn}))
        first = secretive.deploy(FIRST)
        assert self.ask(first.url) == {**FIRST.answer, "greeting": GREETING}

        second = secretive.deploy(replace(FIRST, code="two"))
        assert second.remarks == (f"moved here from {first.url}",)
        assert [(each.revision, each.state) for each in secretive.service.releases()] == [
            ("2", "serving"),
            ("1", "old"),
        ]
        assert all(each.created for each in secretive.service.releases())

        ecs = aws.client("ecs", endpoint_url=running.endpoints.url)
        (revision, _) = ecs.list_task_definitions(familyPrefix=f"mldeploy-{life.app.name}")["taskDefinitionArns"]
        definition = str(ecs.describe_task_definition(taskDefinition=revision))
        assert arn in definition
        written = [path.read_text() for path in secretive.scene.journals]
        assert written
        assert not any(GREETING in text for text in (definition, *written))
        keeper.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
        secretive.end()


@pytest.mark.engine
class TestBehindALoadBalancer(OnFargate, ZeroDowntimeSuite, CanarySuite):
    """At a name that stays."""

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, running: Rehearsal) -> FargateStage:
        return staged(running, ingress="load-balancer")

    @proves(Promise.GOLDEN_ROW)
    @pytest.mark.exhaustive
    def test_no_request_reaches_a_version_before_its_golden_row_held(self, life: AppLife) -> None:
        url = self._deploy_with_row(life, FIRST, "one")
        crowd, second = Crowd(url), replace(FIRST, code="two")
        with crowd.asking():
            with pytest.raises(DeploymentFailedError, match="golden row differs"):
                self._deploy_with_row(life, second, "one")
            seen = len(crowd.answers)
            assert self._deploy_with_row(life, second, "two") == url
        assert seen > 0
        assert set(crowd.answers[:seen]) == {"one"}
        assert set(crowd.answers) <= {"one", "two"}
        assert self.ask(url) == second.answer
        life.end()

    @staticmethod
    def _deploy_with_row(life: AppLife, version: SampleVersion, expected: str) -> str:
        """Its URL. expected: the code that the row expects."""
        row = {"path": ROUTE, "request": {}, "expect": {"code": expected}}
        (life.app.folder / "golden.json").write_text(json.dumps(row))
        life.app.write(version, more='golden = "golden.json"\n')
        return str(getattr(life.scene.deploy().out, "url", ""))


# The stand-in's addresses accept every connection, and close those that lead nowhere: "listens" would be "answers".
BROKEN = {
    "nothing listens": (SampleVersion(listens=9999, patience=5.0), "nothing answers on port 8080"),
    "unhealthy": (SampleVersion(status=500, patience=5.0), "/health answers 500"),
    "out of memory": (SampleVersion(before="full = b'x' * (900 << 20)"), "out of memory"),
    "ends": (SampleVersion(before="raise SystemExit(0)"), "it ended by itself"),
}


@pytest.mark.engine
class TestABrokenVersion(OnFargate):
    """It is recognized by its first proven cause, long before the deadline, and the old one goes on."""

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, running: Rehearsal) -> FargateStage:
        return staged(running, cpu=256, memory=512)

    @pytest.mark.exhaustive
    @pytest.mark.parametrize("what", BROKEN)
    def test_its_cause_is_named(self, life: AppLife, what: str) -> None:
        version, cause = BROKEN[what]
        first = life.deploy(FIRST)
        verdict = life.break_(replace(version, code="broken"))
        assert cause in verdict.cause
        assert verdict.todo
        assert self.ask(first.url) == FIRST.answer
        life.end()

    def test_the_first_version_of_all_may_be_the_broken_one(self, life: AppLife) -> None:
        verdict = life.break_(replace(FIRST, before="raise SystemExit('no model')"))
        assert verdict.exit_status == 1
        assert verdict.log[-1] == "no model"
        assert self.ask(life.deploy(FIRST).url) == FIRST.answer
        life.end()

    def test_a_secret_that_is_not_there_is_named(self, life: AppLife, running: Rehearsal) -> None:
        absent = "arn:aws:secretsmanager:us-east-1:123456789012:secret:absent-AbCdEf"
        secretive = replace(life, stage=staged(running, secrets={"GREETING": absent}))
        assert "a secret that the app is given cannot be read" in secretive.break_(FIRST).cause
        secretive.end()

    @pytest.mark.exhaustive
    def test_what_is_for_another_processor_is_named(self, life: AppLife) -> None:
        """A program that the kernel cannot start is what such an image looks like from outside."""
        first = life.deploy(FIRST)
        life.app.write(replace(FIRST, code="broken"))
        dockerfile = life.app.folder / "Dockerfile"
        dockerfile.write_text(dockerfile.read_text().replace('["python3", "/app.py"]', '["/app.py"]'))
        (life.app.folder / "app.py").chmod(0o755)
        verdict = life.failure()
        assert "built for another processor" in verdict.cause
        assert self.ask(first.url) == FIRST.answer
        life.end()

    @pytest.mark.exhaustive
    def test_an_image_that_somebody_has_removed_is_named(self, life: AppLife, running: Rehearsal) -> None:
        first = life.deploy(FIRST)
        ecr = session(running).client("ecr", endpoint_url=running.endpoints.url)
        name = life.app.name
        there = ecr.list_images(repositoryName=name)["imageIds"]
        ecr.batch_delete_image(repositoryName=name, imageIds=[{"imageDigest": each["imageDigest"]} for each in there])
        with pytest.raises(VerdictError, match="it is not in the repository any more") as failed:
            life.service.scale(2, life.scene.monitor)
        assert failed.value.exit_code is ExitCode.FAILED
        assert self.ask(first.url) == FIRST.answer
        assert life.service.url() == first.url
        life.end()
