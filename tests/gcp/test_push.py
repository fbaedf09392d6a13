"""What reaches Google's registry, whose the repository is, and what is said on the way."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.cloud.artifactregistry_v1.types import CleanupPolicy

from mldeploy.core.errors import ExitCode, RefusedError
from mldeploy.core.events import Action
from mldeploy.core.verbs import DeploymentFailedError
from mldeploy.providers.checks import Diagnosable, Level
from mldeploy.providers.gcp.errors import DisabledError
from mldeploy.providers.gcp.gar import GarProvider
from mldeploy.providers.gcp.gcr import GcrProvider
from mldeploy.providers.gcp.settings import GarSettings, GcrSettings
from mldeploy.providers.policies import HasPolicy
from mldeploy.rehearsal.gcp import GcpRehearsal
from tests.gcp.granting import granting
from tests.gcp.others import ANOTHER, Others
from tests.gcp.shop import GarShop, GcrShop
from tests.tiny import edit

pytestmark = pytest.mark.engine

REGISTRY_API = "artifactregistry.googleapis.com"


@pytest.fixture
def shop(own: Path, rehearsal: GcpRehearsal, tmp_path: Path) -> GarShop:
    return GarShop(own, rehearsal, tmp_path / "state")


@pytest.fixture
def old(own: Path, rehearsal: GcpRehearsal, tmp_path: Path) -> GcrShop:
    return GcrShop(own, rehearsal, tmp_path / "state")


def test_the_image_is_there_by_the_digest_that_is_said(shop: GarShop) -> None:
    out = shop.push().out
    (image,) = shop.others.images(shop.name)
    assert out.reference == image.uri
    assert out.digest == image.uri.partition("@")[2]


def test_the_repository_bears_our_labels_and_cleans_up_after_itself(shop: GarShop) -> None:
    shop.push()
    found = shop.others.repository(shop.name)
    assert dict(found.labels) == {"mldeploy-app": shop.name, "mldeploy-target": "gar"}
    keep, delete = (found.cleanup_policies[name] for name in ("mldeploy-keep", "mldeploy-delete"))
    assert keep.most_recent_versions.keep_count == 10
    assert CleanupPolicy.to_dict(delete)["condition"]["older_than"] == "2592000s"


def test_an_unchanged_image_is_not_pushed_at_all(shop: GarShop) -> None:
    shop.push()
    sent = shop.sent()
    assert {step.action for step in shop.push().steps} == {Action.UNCHANGED}
    assert shop.sent() == sent
    edit(shop.folder)
    shop.push()
    assert len(shop.others.images(shop.name)) == 2


def test_another_number_of_images_to_keep_is_drift_that_is_mended(shop: GarShop) -> None:
    shop.push()
    shop.settings = GarSettings.model_validate({"keep_images": 3})
    assert shop.reasons() == {"gar-repository": ("keeps the last 10 → keeps the last 3",)}
    shop.push()
    assert shop.reasons() == {}


def test_a_repository_of_somebody_else_is_refused_with_what_it_lacks(shop: GarShop) -> None:
    shop.others.make_repository(shop.name, **{**ANOTHER, "mldeploy-target": "gar"})
    with pytest.raises(DeploymentFailedError) as caught:
        shop.push()
    assert isinstance(caught.value.failures[0][1], RefusedError)
    assert f"label mldeploy-app another → {shop.name}" in caught.value.what
    assert shop.look()["repository"].level is Level.ERROR
    assert shop.others.images(shop.name) == []


def test_a_token_that_is_refused_before_its_time_is_renewed(shop: GarShop) -> None:
    cloud = shop.connect()
    shop.rehearsal.expire_tokens()
    provider = GarProvider()
    assert provider.inventory(cloud, shop.project) == []
    shop.rehearsal.expire_tokens()
    assert provider.login(cloud).registry.user == "oauth2accesstoken"


def test_an_api_that_is_not_enabled_is_named_with_the_command_and_the_doctor_enables_it(shop: GarShop) -> None:
    shop.others.disable(REGISTRY_API)
    with pytest.raises(DeploymentFailedError) as caught:
        shop.push()
    assert isinstance(caught.value.failures[0][1], DisabledError)
    assert caught.value.exit_code is ExitCode.ACCESS
    assert f"gcloud services enable {REGISTRY_API} --project" in caught.value.todo
    found = shop.look()["APIs"]
    assert found.level is Level.ERROR
    assert found.fix is not None
    found.fix.run()
    assert shop.look()["APIs"].level is Level.OK
    assert shop.push().out.digest


def test_the_doctor_asks_and_the_policy_covers_every_call(shop: GarShop) -> None:
    assert isinstance(GarProvider(), Diagnosable)
    assert isinstance(GcrProvider(), Diagnosable)
    shop.push()
    assert {each.level for each in shop.look().values()} == {Level.OK}
    GarProvider().inventory(shop.connect(), shop.project)
    provider = GarProvider()
    assert isinstance(provider, HasPolicy)
    allowed = provider.policy(shop.connect())["includedPermissions"]
    assert isinstance(allowed, list)
    called = {call.action for call in shop.rehearsal.calls()}
    free = {"iam.serviceAccounts.getAccessToken", "google.longrunning.Operations.GetOperation"}
    assert called - free <= set(allowed)


def test_an_old_name_is_served_by_a_repository_that_is_made_and_said_so(old: GcrShop) -> None:
    out = old.push().out
    assert f"/gcr.io/{old.name}@sha256:" in out.reference
    (note,) = old.notes
    assert "gcr.io is an old name" in note
    assert "in us" in note
    (image,) = Others(old.rehearsal).images("gcr.io", "us")
    assert image.uri == out.reference
    assert [str(each) for each in old.destroy()] == ["gcr-repository gcr.io"]


def test_an_old_name_that_is_there_is_used_and_stays(old: GcrShop) -> None:
    others = Others(old.rehearsal)
    others.make_repository("eu.gcr.io", "europe")
    old.settings = GcrSettings.model_validate({"region": "eu"})
    old.push()
    assert old.notes == []
    assert old.destroy() == ()
    assert others.repository("eu.gcr.io", "europe").name


def test_a_repository_that_we_made_stays_while_others_images_are_in_it(
    old: GcrShop, tiny: Path, tmp_path: Path
) -> None:
    old.push()
    GcrShop(tiny, old.rehearsal, tmp_path / "other").push()
    assert old.destroy() == ()
    assert len(Others(old.rehearsal).images("gcr.io", "us")) == 2


def test_the_doctor_names_a_permission_that_is_missing(shop: GarShop, tmp_path: Path) -> None:
    with granting(shop.rehearsal.endpoints, ["artifactregistry.repositories.create"], tmp_path) as endpoints:
        found = {each.subject: each for each in GarProvider().look(shop.project, shop.settings, endpoints)}
    assert found["permissions"].level is Level.WARNING
    assert found["permissions"].what == "missing in rehearsal-project: artifactregistry.repositories.create"
    assert "mldeploy policy" in found["permissions"].todo
