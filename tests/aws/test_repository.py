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
from mldeploy.image.registry.access import Repository
from mldeploy.providers.aws.account import enter
from mldeploy.providers.aws.cloud import AwsCloud
from mldeploy.providers.aws.ecr import repositories
from mldeploy.providers.aws.repositories import lifecycle
from mldeploy.providers.aws.repository import EcrRepository
from mldeploy.providers.aws.settings import EcrSettings
from mldeploy.rehearsal.aws import Rehearsal, rehearsing
from tests.aws.shop import Shop

if TYPE_CHECKING:
    from types_boto3_ecr import ECRClient

pytestmark = pytest.mark.engine

MONITOR = Monitor(Resource("ecr-repository", Key("any")), ignore, Cancel())


def cloud_of(rehearsal: Rehearsal, engine: Engine) -> AwsCloud:
    """For an app that nobody else has."""
    account = enter("target.ecr", EcrSettings.model_validate({}), rehearsal.endpoints)
    name = f"t{uuid.uuid4().hex[:10]}"
    return AwsCloud.of(engine, account, name, name)


@pytest.fixture
def cloud(rehearsal: Rehearsal, engine: Engine) -> AwsCloud:
    return cloud_of(rehearsal, engine)


def probe(cloud: AwsCloud) -> Seen[Repository] | None:
    step = EcrRepository(cloud.app, 10)
    return step.probe(cloud, Outputs(step, {}))


def make(cloud: AwsCloud, seen: Seen[Repository] | None = None) -> Repository:
    step = EcrRepository(cloud.app, 10)
    return step.apply(cloud, Outputs(step, {}), seen, MONITOR)


def undo(cloud: AwsCloud) -> bool:
    return EcrRepository.undo(cloud, Key(cloud.app), MONITOR)


def test_it_is_made_with_everything_that_it_should_have(cloud: AwsCloud) -> None:
    make(cloud)
    found = cloud.ecr.describe_repositories(repositoryNames=[cloud.app])["repositories"][0]
    assert found["imageTagMutability"] == "IMMUTABLE"
    assert found["imageScanningConfiguration"]["scanOnPush"] is True
    tags = cloud.ecr.list_tags_for_resource(resourceArn=found["repositoryArn"])["tags"]
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
        lambda ecr, name: ecr.put_image_scanning_configuration(
            repositoryName=name, imageScanningConfiguration={"scanOnPush": False}
        ),
        "scan on push off → on",
    ),
    (
        lambda ecr, name: ecr.put_image_tag_mutability(repositoryName=name, imageTagMutability="MUTABLE"),
        "tags can be moved → cannot",
    ),
    (lambda ecr, name: ecr.delete_lifecycle_policy(repositoryName=name), "keeps every image → keeps the last 10"),
    (lambda ecr, name: put_policy(ecr, name, json.dumps(lifecycle(3))), "keeps the last 3 → keeps the last 10"),
    (
        lambda ecr, name: put_policy(ecr, name, json.dumps(lifecycle(3)).replace("any", "untagged")),
        "has another lifecycle policy → keeps the last 10",
    ),
)


def test_what_somebody_has_changed_is_seen_and_mended(cloud: AwsCloud) -> None:
    make(cloud)
    for change, said in DRIFTS:
        change(cloud.ecr, cloud.app)
        seen = probe(cloud)
        assert seen is not None
        assert seen.drift == (said,)
        make(cloud, seen)
        mended = probe(cloud)
        assert mended is not None
        assert mended.drift == ()


def test_one_that_is_not_ours_is_neither_changed_nor_removed(shop: Shop) -> None:
    shop.ecr.create_repository(repositoryName=shop.name)
    before = len(shop.rehearsal.calls())
    with pytest.raises(DeploymentFailedError) as caught:
        shop.push()
    assert caught.value.exit_code is ExitCode.REFUSED
    assert f"tag mldeploy:app absent → {shop.name}" in caught.value.what
    assert not [call.action for call in shop.rehearsal.calls()[before:] if call.writing]


def test_whoever_tags_one_hands_it_over(cloud: AwsCloud) -> None:
    cloud.ecr.create_repository(
        repositoryName=cloud.app,
        tags=[{"Key": "mldeploy:app", "Value": cloud.app}, {"Key": "mldeploy:target", "Value": "ecr"}],
    )
    seen = probe(cloud)
    assert seen is not None
    assert seen.ours
    make(cloud, seen)
    assert repositories(cloud) == (cloud.app,)


def test_a_name_of_its_own_is_used_and_the_old_one_swept(shop: Shop) -> None:
    shop.push()
    shop.settings = EcrSettings.model_validate({"repository": f"team/{shop.name}"})
    assert f"/team/{shop.name}@sha256:" in shop.push().out.reference
    assert shop.repositories == [f"team/{shop.name}"]


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
    """Nothing is said that only our own stand-in would understand."""
    with rehearsing(tmp_path / "aws", stock=True) as rehearsal:
        cloud = cloud_of(rehearsal, engine)
        assert probe(cloud) is None
        make(cloud)
        seen = probe(cloud)
        assert seen is not None
        assert seen.drift == ()
        assert repositories(cloud) == (cloud.app,)
        assert cloud.ecr.get_authorization_token()["authorizationData"]
        assert undo(cloud)
