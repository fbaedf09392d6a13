"""Pushes to Artifact Registry: the repository, its owner, and messages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from google.cloud.artifactregistry_v1.types import CleanupPolicy

from mldeploy.core.errors import ExitCode, RefusedError
from mldeploy.core.events import Action
from mldeploy.core.verbs import DeploymentFailedError
from mldeploy.providers.capabilities import Diagnosable, HasPolicy, Level
from mldeploy.providers.gcp.errors import DisabledError
from mldeploy.providers.gcp.gar import GarProvider
from mldeploy.providers.gcp.gcr import GcrProvider
from mldeploy.providers.gcp.settings import GarSettings, GcrSettings
from mldeploy.rehearsal.gcp import GcpRehearsal
from mldeploy.testing.promises import Promise, proves
from tests.cli.command import Command
from tests.gcp.harness import GarHarness, GcrHarness, granting
from tests.gcp.others import ANOTHER, Others
from tests.rehearsal.available import require_registry
from tests.tiny import edit, project_of

pytestmark = pytest.mark.engine

REGISTRY_API = "artifactregistry.googleapis.com"


@pytest.fixture
def harness(own: Path, rehearsal: GcpRehearsal, tmp_path: Path) -> GarHarness:
    return GarHarness(own, rehearsal, tmp_path / "state")


@pytest.fixture
def old(own: Path, rehearsal: GcpRehearsal, tmp_path: Path) -> GcrHarness:
    return GcrHarness(own, rehearsal, tmp_path / "state")


def test_the_image_is_there_by_the_digest_that_is_said(harness: GarHarness) -> None:
    out = harness.push().out
    (image,) = harness.others.images(harness.name)
    assert out.reference == image.uri
    assert out.digest == image.uri.partition("@")[2]


def test_the_repository_bears_our_labels_and_cleans_up_after_itself(harness: GarHarness) -> None:
    harness.push()
    result = harness.others.repository(harness.name)
    assert dict(result.labels) == {"mldeploy-app": harness.name, "mldeploy-target": "gar"}
    keep, delete = (result.cleanup_policies[name] for name in ("mldeploy-keep", "mldeploy-delete"))
    assert keep.most_recent_versions.keep_count == 10
    assert CleanupPolicy.to_dict(delete)["condition"]["older_than"] == "2592000s"


def test_an_unchanged_image_is_not_pushed_at_all(harness: GarHarness) -> None:
    harness.push()
    sent = harness.sent()
    assert {step.action for step in harness.push().steps} == {Action.UNCHANGED}
    assert harness.sent() == sent
    edit(harness.folder)
    harness.push()
    assert len(harness.others.images(harness.name)) == 2


def test_another_number_of_images_to_keep_is_drift_that_is_mended(harness: GarHarness) -> None:
    harness.push()
    harness.settings = GarSettings.model_validate({"keep_images": 3})
    assert harness.reasons() == {"gar-repository": ("keeps the last 10 → keeps the last 3",)}
    harness.push()
    assert harness.reasons() == {}


def test_a_repository_of_somebody_else_is_refused_with_what_it_lacks(harness: GarHarness) -> None:
    harness.others.make_repository(harness.name, **{**ANOTHER, "mldeploy-target": "gar"})
    with pytest.raises(DeploymentFailedError) as caught:
        harness.push()
    assert isinstance(caught.value.failures[0][1], RefusedError)
    assert f"label mldeploy-app another → {harness.name}" in caught.value.what
    assert harness.diagnose()["repository"].level is Level.ERROR
    assert harness.others.images(harness.name) == []


def test_a_token_that_is_refused_before_its_time_is_renewed(harness: GarHarness) -> None:
    cloud = harness.connect()
    harness.rehearsal.expire_tokens()
    provider = GarProvider()
    assert provider.inventory(cloud, harness.project) == []
    harness.rehearsal.expire_tokens()
    assert provider.login(cloud).registry.user == "oauth2accesstoken"


def test_an_api_that_is_not_enabled_is_named_with_the_command_and_the_doctor_enables_it(harness: GarHarness) -> None:
    harness.others.disable(REGISTRY_API)
    with pytest.raises(DeploymentFailedError) as caught:
        harness.push()
    assert isinstance(caught.value.failures[0][1], DisabledError)
    assert caught.value.exit_code is ExitCode.ACCESS
    assert f"gcloud services enable {REGISTRY_API} --project" in caught.value.todo
    result = harness.diagnose()["APIs"]
    assert result.level is Level.ERROR
    assert result.fix is not None
    result.fix.run()
    assert harness.diagnose()["APIs"].level is Level.OK
    assert harness.push().out.digest


UNUSED = {
    "artifactregistry.dockerimages.list",  # the target gcr, whose repository others use, too
    "artifactregistry.repositories.delete",  # destroy
    "artifactregistry.repositories.update",  # another `keep_images`
    "artifactregistry.tags.get",  # registries may check it when they answer a HEAD for a tag
    "artifactregistry.tags.update",  # a tag that was pushed before
    "serviceusage.services.enable",  # doctor --fix
}
"""The permissions that this journey does not need."""


@proves(Promise.POLICY, targets=["gar"])
def test_the_role_is_enough_for_the_doctor_and_a_push_and_is_no_wider(harness: GarHarness) -> None:
    assert isinstance(GarProvider(), Diagnosable)
    assert isinstance(GcrProvider(), Diagnosable)
    provider = GarProvider()
    assert isinstance(provider, HasPolicy)
    allowed = provider.policy(harness.connect())["includedPermissions"]
    assert isinstance(allowed, list)
    harness.rehearsal.restrict(allowed)
    harness.push()
    assert {each.level for each in harness.diagnose().values()} == {Level.OK}
    GarProvider().inventory(harness.connect(), harness.project)
    assert set(allowed) - harness.rehearsal.checked_permissions() == UNUSED


def test_an_old_name_is_served_by_a_repository_that_is_made_and_said_so(old: GcrHarness) -> None:
    out = old.push().out
    assert f"/gcr.io/{old.name}@sha256:" in out.reference
    (note,) = old.notes
    assert "Artifact Registry serves gcr.io" in note
    assert "in us" in note
    (image,) = Others(old.rehearsal).images("gcr.io", "us")
    assert image.uri == out.reference
    assert [str(each) for each in old.destroy()] == ["gcr-repository gcr.io"]


def test_an_old_name_that_is_there_is_used_and_stays(old: GcrHarness) -> None:
    others = Others(old.rehearsal)
    others.make_repository("eu.gcr.io", "europe")
    old.settings = GcrSettings.model_validate({"region": "eu"})
    old.push()
    assert old.notes == []
    assert old.destroy() == ()
    assert others.repository("eu.gcr.io", "europe").name


def test_a_repository_that_we_made_stays_while_others_images_are_in_it(
    old: GcrHarness, tiny: Path, tmp_path: Path
) -> None:
    old.push()
    GcrHarness(tiny, old.rehearsal, tmp_path / "other").push()
    assert old.destroy() == ()
    assert len(Others(old.rehearsal).images("gcr.io", "us")) == 2


def test_the_doctor_names_a_permission_that_is_missing(harness: GarHarness, tmp_path: Path) -> None:
    with granting(harness.rehearsal.endpoints, ["artifactregistry.repositories.create"], tmp_path) as endpoints:
        result = {each.subject: each for each in GarProvider().diagnose(harness.project, harness.settings, endpoints)}
    assert result["permissions"].level is Level.WARNING
    assert result["permissions"].what == "missing in rehearsal-project: artifactregistry.repositories.create"
    assert "mldeploy policy" in result["permissions"].todo


@pytest.fixture
def mldeploy(tmp_path: Path, own: Path) -> Iterator[Command]:
    require_registry()
    command = Command(tmp_path / "home", own)
    yield command
    command("rehearse", "down")


@pytest.mark.exhaustive
def test_a_push_under_an_old_name(mldeploy: Command) -> None:
    app = project_of(mldeploy.folder).app.name
    pushed = mldeploy("push", "--no-check", "--target", "gcr", "--region", "eu", "--rehearse", "--json")
    assert pushed.code == 0, pushed.err
    assert "Artifact Registry serves eu.gcr.io" in pushed.err
    image = pushed.document["image"]
    assert isinstance(image, dict)
    assert f"/rehearsal-project/eu.gcr.io/{app}@sha256:" in image["reference"]
    gone = mldeploy("destroy", "--target", "gcr", "--region", "eu", "--rehearse", "--yes", "--json").document
    assert gone["removed"] == [{"kind": "gcr-repository", "name": "eu.gcr.io"}]
    written = [path.read_text() for path in mldeploy.state.rglob("*.log")]
    assert written
    assert not any("ya29." in text or "PRIVATE KEY" in text for text in (pushed.out, pushed.err, *written))
