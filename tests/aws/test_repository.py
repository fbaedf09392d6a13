"""The repository: made as it should be, mended where it is not, never somebody else's."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from mldeploy.core.errors import ExitCode, RefusedError
from mldeploy.core.events import ignore
from mldeploy.core.monitor import Cancel, Monitor
from mldeploy.core.step import Key, Outputs, Resource, Seen
from mldeploy.core.verbs import DeploymentFailedError
from mldeploy.image.engine import Engine
from mldeploy.image.registry.access import ImageRepository
from mldeploy.providers.aws.account import AwsCloud, authenticate
from mldeploy.providers.aws.ecr import list_repositories
from mldeploy.providers.aws.repository import EcrRepository, lifecycle_policy
from mldeploy.providers.aws.settings import EcrSettings
from mldeploy.rehearsal.aws import Rehearsal, rehearsing
from tests.aws.harness import EcrHarness

if TYPE_CHECKING:
    from types_boto3_ecr import ECRClient

pytestmark = pytest.mark.engine

MONITOR = Monitor(Resource("ecr-repository", Key("any")), ignore, Cancel())


def cloud_of(rehearsal: Rehearsal, engine: Engine) -> AwsCloud:
    """For an app that nobody else has."""
    account = authenticate("target.ecr", EcrSettings.model_validate({}), rehearsal.endpoints)
    name = f"t{uuid.uuid4().hex[:10]}"
    return AwsCloud.of(engine, account, name, name)


@pytest.fixture
def cloud(rehearsal: Rehearsal, engine: Engine) -> AwsCloud:
    return cloud_of(rehearsal, engine)


def probe(cloud: AwsCloud) -> Seen[ImageRepository] | None:
    step = EcrRepository(cloud.app, 10)
    return step.probe(cloud, Outputs(step, {}))


def make(cloud: AwsCloud, seen: Seen[ImageRepository] | None = None) -> ImageRepository:
    step = EcrRepository(cloud.app, 10)
    return step.apply(cloud, Outputs(step, {}), seen, MONITOR)


def undo(cloud: AwsCloud) -> bool:
    return EcrRepository.undo(cloud, Key(cloud.app), MONITOR)


def test_it_is_made_with_everything_that_it_should_have(cloud: AwsCloud) -> None:
    make(cloud)
    repository = cloud.ecr.describe_repositories(repositoryNames=[cloud.app])["repositories"][0]
    assert repository["imageTagMutability"] == "IMMUTABLE"
    assert repository["imageScanningConfiguration"]["scanOnPush"] is True
    tags = cloud.ecr.list_tags_for_resource(resourceArn=repository["repositoryArn"])["tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"mldeploy:app": cloud.app, "mldeploy:target": "ecr"}
    policy = json.loads(cloud.ecr.get_lifecycle_policy(repositoryName=cloud.app)["lifecyclePolicyText"])
    assert policy["rules"][0]["selection"]["countNumber"] == 10


def test_it_is_tagged_in_the_very_call_that_makes_it(cloud: AwsCloud, rehearsal: Rehearsal) -> None:
    """What is tagged later is nobody's if the process dies between the two calls."""
    before = len(rehearsal.calls())
    make(cloud)
    writing = [call.action for call in rehearsal.calls()[before:] if call.writing]
    assert writing == ["ecr:CreateRepository", "ecr:PutLifecyclePolicy"]


def put_policy(ecr: ECRClient, name: str, text: str) -> None:
    ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=text)


DRIFTS: tuple[tuple[Callable[[ECRClient, str], object], str], ...] = (
    (
        lambda ecr, name: ecr.put_image_tag_mutability(repositoryName=name, imageTagMutability="MUTABLE"),
        "tags can be moved → cannot",
    ),
    (lambda ecr, name: ecr.delete_lifecycle_policy(repositoryName=name), "keeps every image → keeps the last 10"),
    (lambda ecr, name: put_policy(ecr, name, json.dumps(lifecycle_policy(3))), "keeps the last 3 → keeps the last 10"),
    (
        lambda ecr, name: put_policy(ecr, name, json.dumps(lifecycle_policy(3)).replace("any", "untagged")),
        "has another lifecycle policy → keeps the last 10",
    ),
)


def test_what_somebody_has_changed_is_seen_and_mended(cloud: AwsCloud) -> None:
    make(cloud)
    for change, drift in DRIFTS:
        change(cloud.ecr, cloud.app)
        seen = probe(cloud)
        assert seen is not None
        assert seen.drift == (drift,)
        make(cloud, seen)
        mended = probe(cloud)
        assert mended is not None
        assert mended.drift == ()


def test_one_that_is_not_ours_is_neither_changed_nor_removed(harness: EcrHarness) -> None:
    harness.ecr.create_repository(repositoryName=harness.name)
    before = len(harness.rehearsal.calls())
    with pytest.raises(DeploymentFailedError) as caught:
        harness.push()
    assert caught.value.exit_code is ExitCode.REFUSED
    assert f"tag mldeploy:app absent → {harness.name}" in caught.value.what
    assert not [call.action for call in harness.rehearsal.calls()[before:] if call.writing]


def test_whoever_tags_one_hands_it_over(cloud: AwsCloud) -> None:
    cloud.ecr.create_repository(
        repositoryName=cloud.app,
        tags=[{"Key": "mldeploy:app", "Value": cloud.app}, {"Key": "mldeploy:target", "Value": "ecr"}],
    )
    seen = probe(cloud)
    assert seen is not None
    assert seen.ours
    make(cloud, seen)
    assert list_repositories(cloud) == (cloud.app,)


def test_a_name_of_its_own_is_used_and_the_old_one_swept(harness: EcrHarness) -> None:
    harness.push()
    harness.settings = EcrSettings.model_validate({"repository": f"team/{harness.name}"})
    assert f"/team/{harness.name}@sha256:" in harness.push().out.reference
    assert harness.repositories == [f"team/{harness.name}"]


def test_two_who_make_it_at_once_do_not_fight(cloud: AwsCloud) -> None:
    """What was absent a moment ago is there: ours if it bears our tags."""
    assert make(cloud).name == make(cloud).name
    assert undo(cloud) is True
    assert undo(cloud) is False


def test_what_somebody_else_makes_at_the_same_time_is_not_taken(cloud: AwsCloud) -> None:
    cloud.ecr.create_repository(repositoryName=cloud.app)
    with pytest.raises(RefusedError, match="has just been made by somebody else"):
        make(cloud)
    assert undo(cloud) is False


@pytest.mark.parametrize("name", ["Upper", "-dash", "a//b", "end/", "sp ace", "x" * 300])
def test_a_name_that_ecr_would_refuse_is_refused_before(name: str) -> None:
    with pytest.raises(ValidationError):
        EcrSettings.model_validate({"repository": name})


def test_a_stock_moto_accepts_everything_that_is_asked(tmp_path: Path, engine: Engine) -> None:
    """No request needs our own stand-in."""
    with rehearsing(tmp_path / "aws", stock=True) as rehearsal:
        cloud = cloud_of(rehearsal, engine)
        assert probe(cloud) is None
        make(cloud)
        seen = probe(cloud)
        assert seen is not None
        assert seen.drift == ()
        assert list_repositories(cloud) == (cloud.app,)
        assert cloud.ecr.get_authorization_token()["authorizationData"]
        assert undo(cloud)
