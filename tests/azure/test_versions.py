"""One version after the other: through a slot or in place, let in or not, seen to its end or not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from azure.mgmt.resource.resources.models import Tags, TagsPatchResource
from azure.mgmt.web.models import Site, SitePatchResource, SitePatchResourceProperties

from mldeploy.app.causes import About
from mldeploy.app.verdict import VerdictError
from mldeploy.config.secret import Secret
from mldeploy.config.settings import Project
from mldeploy.core.errors import ExitCode
from mldeploy.core.events import Action
from mldeploy.core.monitor import Monitor
from mldeploy.providers.azure.webapp import sites
from mldeploy.providers.azure.webapp.cloud import WebappCloud
from mldeploy.providers.azure.webapp.logs import SiteLogs
from mldeploy.providers.azure.webapp.rollout import SiteRollout
from mldeploy.providers.azure.webapp.settings import WebappSettings
from mldeploy.providers.azure.webapp.site_spec import with_image
from mldeploy.providers.azure.webapp.sites import MAX_RELEASES, SiteSlot
from mldeploy.providers.base import Address
from mldeploy.providers.errors import AbsentError
from mldeploy.rehearsal.azure import AzureRehearsal, FaultKind, FaultOrder
from mldeploy.testing.promises import Promise, proves
from tests.azure.harness import AzureHarness, on_webapp
from tests.rehearsal.azure.clients import Clients
from tests.tiny import edit, project_of

pytestmark = pytest.mark.engine

SWAP, SLOT = "Microsoft.Web/sites/slotsswap/action", "Microsoft.Web/sites/slots"
NOTE = "Microsoft.Resources/tags/write"
LATE = "2026-01-01T00:00:00.0000000Z Failed to start site. Revert by stopping site."


def golden(project: Project, file: Path, expect: object) -> Project:
    """The same with a golden row. A site without containers answers {} to everything."""
    file.write_text(json.dumps({"path": "/predict_api", "request": {}, "expect": expect}))
    return replace(project, check=replace(project.check, golden=file))


def states(harness: AzureHarness) -> list[tuple[str, str]]:
    return [(each.revision, each.state) for each in harness.scene.service.releases()]


def change(harness: AzureHarness, folder: Path) -> None:
    """The image will be another one."""
    edit(folder)
    harness.project = project_of(folder)


@proves(Promise.GOLDEN_ROW, Promise.OLD_VERSION, targets=("webapp",))
@pytest.mark.parametrize("sku", ["S1", "B1"])
def test_a_version_with_a_wrong_answer_is_not_let_in(
    rehearsal: AzureRehearsal, own: Path, tmp_path: Path, sku: str
) -> None:
    harness = on_webapp(rehearsal, golden(project_of(own), tmp_path / "golden.json", {}), tmp_path / "state", sku=sku)
    harness.deploy()
    image = harness.scene.service.instances()[0].image
    change(harness, own)
    harness.project = golden(harness.project, tmp_path / "golden.json", {"prediction": 1})
    verdict = harness.fail()
    assert isinstance(verdict, VerdictError)
    assert verdict.exit_code is ExitCode.FAILED
    assert verdict.about is About.GOLDEN
    assert states(harness) == [("2", "failed"), ("1", "serving")]
    assert harness.scene.service.instances()[0].image == image
    assert harness.count(SWAP) == 0
    assert harness.kinds()[SLOT] == 0
    with pytest.raises(AbsentError, match="revision 1 serves again already"):
        harness.scene.service.rollback(None, harness.scene.monitor)


def test_no_rollback_leaves_what_fails_in_place(rehearsal: AzureRehearsal, own: Path, tmp_path: Path) -> None:
    harness = on_webapp(rehearsal, project_of(own), tmp_path / "state", rollback=False)
    harness.deploy()
    image = harness.scene.service.instances()[0].image
    change(harness, own)
    harness.project = golden(harness.project, tmp_path / "golden.json", {"prediction": 1})
    harness.fail()
    assert harness.scene.service.instances()[0].image != image


@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", [FaultKind.THROTTLE, pytest.param(FaultKind.ERROR, marks=pytest.mark.exhaustive)])
def test_a_swap_that_is_refused_for_now_is_sent_again(
    rehearsal: AzureRehearsal, own: Path, tmp_path: Path, kind: FaultKind
) -> None:
    harness = on_webapp(rehearsal, project_of(own), tmp_path / "state", sku="S1")
    harness.deploy()
    change(harness, own)
    rehearsal.faults.inject(FaultOrder(kind, SWAP))
    harness.deploy()
    assert harness.count(SWAP) == 2
    assert states(harness) == [("2", "serving"), ("1", "old")]


@pytest.mark.exhaustive
def test_new_settings_of_the_same_image_are_swapped_in_as_well(
    rehearsal: AzureRehearsal, own: Path, tmp_path: Path
) -> None:
    """The image alone does not tell whether a swap that was refused has happened."""
    harness = on_webapp(rehearsal, project_of(own), tmp_path / "state", sku="S1")
    harness.deploy()
    harness.project = replace(
        harness.project, app=replace(harness.project.app, env=(("MODE", Secret("new", is_public=True)),))
    )
    rehearsal.faults.inject(FaultOrder(FaultKind.THROTTLE, SWAP))
    harness.deploy()
    assert harness.count(SWAP) == 2
    assert harness.scene.plan().is_noop


@pytest.mark.exhaustive
def test_a_swap_whose_answer_is_lost_is_not_sent_twice(rehearsal: AzureRehearsal, own: Path, tmp_path: Path) -> None:
    """Twice would be back again."""
    harness = on_webapp(rehearsal, project_of(own), tmp_path / "state", sku="S1")
    harness.deploy()
    change(harness, own)
    rehearsal.faults.inject(FaultOrder(FaultKind.CUT_AFTER, SWAP))
    out = harness.deploy().out
    assert isinstance(out, Address)
    assert harness.count(SWAP) == 1
    assert states(harness) == [("2", "serving"), ("1", "old")]
    assert harness.scene.service.instances()[0].image == out.image.reference
    assert harness.kinds()[SLOT] == 0


@pytest.mark.exhaustive
@pytest.mark.parametrize("sku", ["S1", "B1"])
def test_a_rollout_that_nobody_saw_to_its_end_is_seen_to_by_the_next_command(
    rehearsal: AzureRehearsal, own: Path, tmp_path: Path, sku: str
) -> None:
    """The last call of a rollout, which notes that the version serves, is refused: as good as a crash."""
    harness = on_webapp(rehearsal, project_of(own), tmp_path / "state", sku=sku)
    harness.deploy()
    change(harness, own)
    rehearsal.faults.inject(FaultOrder(FaultKind.DENIED, NOTE, skip=1 if sku == "S1" else 0, times=0))
    assert harness.fail().exit_code is ExitCode.ACCESS
    rehearsal.faults.clear()
    reasons = {each.resource.kind: each.reasons for each in harness.scene.plan().changes if each.reasons}
    assert "the last rollout did not finish → finished" in reasons["web-app"]
    harness.deploy()
    assert states(harness) == [("2", "serving"), ("1", "old")]
    assert harness.scene.plan().is_noop


def test_a_new_health_path_restarts_the_app_and_goes_through_the_slot(
    rehearsal: AzureRehearsal, own: Path, tmp_path: Path
) -> None:
    harness = on_webapp(rehearsal, project_of(own), tmp_path / "state", sku="S1")
    harness.deploy()
    harness.project = replace(harness.project, app=replace(harness.project.app, health="/ready"))
    reasons = {each.resource.kind: each.reasons for each in harness.scene.plan().changes if each.reasons}
    assert reasons["web-app"] == ("health check path /health → /ready",)
    harness.deploy()
    assert harness.count(SWAP) == 1
    assert states(harness) == [("1", "serving")]
    assert harness.scene.plan().is_noop


@pytest.mark.exhaustive
def test_what_a_swap_leaves_in_place_is_written_and_measured(
    rehearsal: AzureRehearsal, others: Clients, own: Path, tmp_path: Path
) -> None:
    """HTTPS only is a setting of the site itself: alone it needs no swap, and with a new image it is written, too."""
    harness = on_webapp(rehearsal, project_of(own), tmp_path / "state", sku="S1")
    harness.deploy()
    at = harness.site_slot
    off = SitePatchResource(properties=SitePatchResourceProperties(https_only=False))
    others.web.web_apps.update(at.group, at.site, off)
    out = harness.deploy().out
    assert harness.count(SWAP) == 0
    assert isinstance(out, Address)
    assert out.gap_seconds is not None
    others.web.web_apps.update(at.group, at.site, off)
    change(harness, own)
    harness.deploy()
    assert harness.count(SWAP) == 1
    assert states(harness) == [("2", "serving"), ("1", "old")]
    assert harness.scene.plan().is_noop


@pytest.mark.parametrize("sku", ["S1", "B1"])
def test_settings_that_fail_do_not_condemn_the_image_that_serves(
    rehearsal: AzureRehearsal, own: Path, tmp_path: Path, sku: str
) -> None:
    """The image is the same: with the former settings it goes on serving, or serves again."""
    harness = on_webapp(rehearsal, project_of(own), tmp_path / "state", sku=sku)
    harness.deploy()
    good = harness.project
    harness.project = golden(good, tmp_path / "golden.json", {"prediction": 1})
    harness.project = replace(harness.project, app=replace(good.app, env=(("MODE", Secret("new")),)))
    assert isinstance(harness.fail(), VerdictError)
    assert states(harness) == [("1", "serving")]
    assert any("the previous version serves again" in note for note in harness.notes) is (sku == "B1")
    harness.project = good
    assert harness.scene.plan().is_noop


def test_a_late_line_of_the_failed_version_is_not_held_against_the_restored_one(
    rehearsal: AzureRehearsal, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """App Service may log the end of a failed start while the previous version is being written."""
    harness = on_webapp(rehearsal, project_of(own), tmp_path / "state", sku="B1")
    harness.deploy()
    written: list[object] = []
    before: list[int] = []
    write, read = sites.write_site, SiteLogs.read

    def write_site(cloud: WebappCloud, monitor: Monitor, site_slot: SiteSlot, model: Site) -> Site:
        written.append(model)
        return write(cloud, monitor, site_slot, model)

    def read_with_late_line(log: SiteLogs) -> tuple[str, ...] | None:
        lines = read(log) or ()
        if len(written) < 2:
            return lines
        before.append(len(lines))
        return (*lines[: before[0]], LATE, *lines[before[0] :])

    monkeypatch.setattr(sites, "write_site", write_site)
    monkeypatch.setattr(SiteLogs, "read", read_with_late_line)
    change(harness, own)
    harness.project = golden(harness.project, tmp_path / "golden.json", {"prediction": 1})
    assert isinstance(harness.fail(), VerdictError)
    assert len(written) == 2
    assert any("the previous version serves again" in note for note in harness.notes)


@proves(Promise.HISTORY, targets=("webapp",))
def test_a_site_with_fifty_tags_takes_one_more_release(
    rehearsal: AzureRehearsal, others: Clients, own: Path, tmp_path: Path
) -> None:
    """A resource has 50 tags at most. Those of others stay; of the releases, the oldest go."""
    harness = on_webapp(rehearsal, project_of(own), tmp_path / "state")
    harness.deploy()
    cloud = harness.cloud
    site = sites.describe_site(cloud, harness.site_slot)
    assert site is not None
    served = site.releases[0]
    older = {(entry := replace(served, number=number)).tag: entry.value for number in range(2, 48)}
    model = TagsPatchResource(operation="Merge", properties=Tags(tags={**older, "owner": "team"}))
    others.resources.tags.begin_update_at_scope(site.id, model).result()
    change(harness, own)
    harness.deploy()
    after = sites.describe_site(cloud, harness.site_slot)
    assert after is not None
    assert [each.number for each in after.releases] == list(range(48, 48 - MAX_RELEASES, -1))
    assert after.tags["owner"] == "team"


@pytest.mark.exhaustive
@pytest.mark.timeout(900)
def test_fifty_five_releases_in_a_row(rehearsal: AzureRehearsal, own: Path, tmp_path: Path) -> None:
    """The same image on another port each time: a release of its own, without a build."""
    harness = on_webapp(rehearsal, project_of(own), tmp_path / "state")
    harness.deploy()
    cloud, project = harness.cloud, harness.project
    settings = WebappSettings.model_validate({})
    rollout = SiteRollout(cloud, project, settings, harness.site_slot, harness.scene.monitor)
    for number in range(2, 56):
        site = sites.describe_site(cloud, harness.site_slot)
        assert site is not None
        rollout.deploy(site, with_image(site.spec, site.spec.image, 9000 + number))
    assert [revision for revision, _ in states(harness)] == [str(each) for each in range(55, 25, -1)]


@proves(Promise.STOP, targets=("webapp",))
def test_stopped_is_not_gone(rehearsal: AzureRehearsal, own: Path, tmp_path: Path) -> None:
    harness = on_webapp(rehearsal, project_of(own), tmp_path / "state")
    first = harness.deploy().out
    assert isinstance(first, Address)
    service = harness.scene.service
    assert service.stop()
    assert not service.stop()
    assert service.url() is None
    assert service.instances() == ()
    again = harness.deploy()
    assert isinstance(again.out, Address)
    assert again.out.url == first.url == service.url()
    assert {step.title for step in again.steps if step.action is Action.UPDATED} == {
        "Run the web app",
        "Answer at the URL",
    }


@proves(Promise.SCALE, targets=("webapp",))
def test_the_number_of_instances_is_the_plans(rehearsal: AzureRehearsal, own: Path, tmp_path: Path) -> None:
    harness = on_webapp(rehearsal, project_of(own), tmp_path / "state")
    harness.deploy()
    harness.scene.service.scale(2, harness.scene.monitor)
    assert len(harness.scene.service.instances()) == 2
    assert harness.scene.plan().is_noop
    fixed = on_webapp(rehearsal, harness.project, tmp_path / "state", instances=3)
    reasons = {each.resource.kind: each.reasons for each in fixed.scene.plan().changes if each.reasons}
    assert reasons == {"app-service-plan": ("instances 2 → 3",)}


def test_the_first_version_of_all_may_be_the_wrong_one(rehearsal: AzureRehearsal, own: Path, tmp_path: Path) -> None:
    wrong = golden(project_of(own), tmp_path / "golden.json", {"prediction": 1})
    harness = on_webapp(rehearsal, wrong, tmp_path / "state", sku="S1")
    assert isinstance(harness.fail(), VerdictError)
    assert states(harness) == [("1", "failed")]
    harness.project = project_of(own)
    harness.deploy()
    assert states(harness) == [("2", "serving"), ("1", "failed")]
    harness.scene.destroy()
    assert rehearsal.contents() == ()


def test_a_secret_that_key_vault_does_not_hand_out_is_named(
    rehearsal: AzureRehearsal, own: Path, tmp_path: Path
) -> None:
    uri = "https://shop.vault.azure.net/secrets/api-key"
    harness = on_webapp(rehearsal, project_of(own), tmp_path / "state", secrets={"API_KEY": uri})
    verdict = harness.fail()
    assert isinstance(verdict, VerdictError)
    assert "the secret of the variable API_KEY cannot be read from Key Vault" in verdict.cause
    assert "Key Vault Secrets User" in verdict.todo
    rehearsal.add_secret(uri, "s3cr3t-value")
    assert isinstance(harness.deploy().out, Address)
    written = [path.read_text() for path in (tmp_path / "state").rglob("*") if path.is_file()]
    assert not any("s3cr3t-value" in text for text in written)
