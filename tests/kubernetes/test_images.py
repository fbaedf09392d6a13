"""`destroy` removes the images that mldeploy pushed to the user's registry, or lists them where that is not allowed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from mldeploy.core.errors import ExitCode, LeftoversError
from mldeploy.core.step import Key, Resource
from mldeploy.providers.kubernetes.images import RegistryImage
from mldeploy.rehearsal.registry.program import RegistryProgram
from tests.kubernetes.conftest import address
from tests.kubernetes.harness import PROVIDER, DeployHarness

pytestmark = pytest.mark.engine
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "mldeploy"


@pytest.fixture
def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, registry: str) -> Iterator[str]:
    """A registry that deletes nothing, as many do not."""
    assert registry, "the program is installed"
    monkeypatch.setenv("REGISTRY_STORAGE_DELETE_ENABLED", "false")
    program = RegistryProgram(tmp_path / "locked", f"{address(87)}:5000")
    yield f"{address(87)}:5000"
    program.close()


def tags(registry: str, app: str) -> list[str]:
    listed = requests.get(f"http://{registry}/v2/{app}/tags/list", timeout=60).json()
    return sorted(
        tag
        for tag in listed.get("tags") or ()
        if requests.head(f"http://{registry}/v2/{app}/manifests/{tag}", headers={"Accept": MANIFEST}, timeout=60).ok
    )


def put_tag(registry: str, app: str, tag: str, new: str) -> None:
    url = f"http://{registry}/v2/{app}/manifests"
    manifest = requests.get(f"{url}/{tag}", headers={"Accept": MANIFEST}, timeout=60)
    kind = {"Content-Type": manifest.headers["Content-Type"]}
    requests.put(f"{url}/{new}", manifest.content, headers=kind, timeout=60).raise_for_status()


def listed(harness: DeployHarness) -> list[Resource]:
    cloud = PROVIDER.connect(harness.project, harness.settings, harness.fake.endpoints)
    return [each for each in PROVIDER.inventory(cloud, harness.project) if each.kind == "pushed-image"]


def remove(harness: DeployHarness) -> bool:
    """As `destroy` does in the app's folder, whatever the inventory lists."""
    cloud = PROVIDER.connect(harness.project, harness.settings, harness.fake.endpoints)
    return RegistryImage.undo(cloud, Key(cloud.repository.path), harness.monitor)


def test_images_are_removed_from_the_registry(harness: DeployHarness, registry: str) -> None:
    harness.deploy()
    assert len(tags(registry, harness.app)) == 1
    assert len(listed(harness)) == 1
    destroyed = harness.destroy()
    assert "pushed-image" in {each.kind for each in destroyed.removed}
    assert tags(registry, harness.app) == []
    assert listed(harness) == []
    assert "pushed-image" not in {each.kind for each in harness.destroy().removed}


def test_an_image_with_a_tag_of_somebody_else_stays(harness: DeployHarness, registry: str) -> None:
    harness.deploy()
    (ours,) = tags(registry, harness.app)
    put_tag(registry, harness.app, ours, "production")
    harness.destroy()
    assert remove(harness) is False
    assert tags(registry, harness.app) == [ours, "production"]
    assert any("it has the tag production as well" in note for note in harness.notes)
    url = f"http://{registry}/v2/{harness.app}/manifests"
    digest = requests.head(f"{url}/{ours}", headers={"Accept": MANIFEST}, timeout=60).headers["Docker-Content-Digest"]
    requests.delete(f"{url}/{digest}", timeout=60).raise_for_status()


def test_images_of_an_app_that_is_deployed_elsewhere_stay(harness: DeployHarness, registry: str, state: Path) -> None:
    harness.deploy()
    (state / harness.app).mkdir(parents=True)
    other = state / harness.app / "kubernetes@other.example%3A6443@prod.journal"
    other.write_text("")
    harness.destroy()
    assert remove(harness) is False
    assert len(tags(registry, harness.app)) == 1
    assert any("is deployed to other.example" in note for note in harness.notes)
    other.unlink()
    harness.destroy()
    assert tags(registry, harness.app) == []


def test_a_registry_that_deletes_nothing_is_an_error_with_the_images(harness: DeployHarness, locked: str) -> None:
    harness.set(registry=locked)
    harness.deploy()
    (tag,) = tags(locked, harness.app)
    with pytest.raises(LeftoversError, match=f"{harness.app}:{tag} \\(sha256:") as left:
        harness.destroy()
    assert left.value.exit_code is ExitCode.LEFTOVERS
    assert "--keep-images" in str(left.value)
