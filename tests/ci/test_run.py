"""What the workflow says does work: every line is run, in order, by bash; the cloud is rehearsed."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from mldeploy.testing.sample import SampleApp, SampleVersion, sample_app
from tests.ci.repo import REGISTRY, Repo, repo
from tests.ci.runner import Runner
from tests.ci.targets import TARGETS
from tests.cli.command import Command
from tests.rehearsal.available import require_registry
from tests.sampled import BASE

pytestmark = pytest.mark.engine

TEST = "from pathlib import Path\n\n\ndef test_the_model():\n    assert Path('model.txt').read_text()\n"
KNOWN = {f"vars.{name}": "x" for name in ("AWS_REGION", "GCP_REGION", "AZURE_LOCATION", "DOCKERHUB_USERNAME")}
SECRETS = {"secrets.DOCKERHUB_TOKEN": "y"}


class World:
    """An app in a folder of a repository, and runners for it; what is deployed is this world's alone."""

    def __init__(self, folder: Path, app: SampleApp, made: Repo) -> None:
        self.folder, self.app, self.repo = folder, app, made
        self.mldeploy = Command(folder / "home", made.folder)

    def write(self, version: SampleVersion) -> None:
        self.app.write(version, more=REGISTRY)
        self.repo.put("requirements.txt", "")
        self.repo.put("test_model.py", TEST)

    def runner(self, name: str) -> Runner:
        home = {key: value for key, value in self.mldeploy.env.items() if key.startswith("XDG_")}
        return Runner(self.folder / name, self.repo, KNOWN | SECRETS, home)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    require_registry()
    root = tmp_path / "repository"
    root.mkdir()
    made = repo(root, "models")
    with sample_app(made.folder / "price", BASE) as app:
        yield from _world(tmp_path, app, Repo(root, app.folder))


def _world(folder: Path, app: SampleApp, made: Repo) -> Iterator[World]:
    there = World(folder, app, made)
    there.write(SampleVersion(patience=120.0))
    yield there
    there.mldeploy("rehearse", "down")


@pytest.mark.exhaustive
def test_from_a_push_to_a_url_that_answers(world: World) -> None:
    assert world.mldeploy("ci", "github", "--target", "fargate").code == 0
    world.repo.commit()
    workflow, runner = world.repo.workflow(), world.runner("first")
    checked = runner.job(workflow, "check")
    assert checked.failed == ""
    assert {"Lint with ruff", "Test with pytest", "Build the image and check it"} < set(checked.names)
    deployed = runner.job(workflow, "deploy")
    assert deployed.failed == ""
    url = deployed.outputs["mldeploy.url"]
    assert workflow["jobs"]["deploy"]["environment"]["url"] == "${{ steps.mldeploy.outputs.url }}"
    with urllib.request.urlopen(f"{url}/health", timeout=20) as answer:  # noqa: S310 - it is ours
        assert answer.status == 200
    assert f"{world.app.name} on fargate: [{url}]({url})" in deployed.summary


@pytest.mark.parametrize(
    ("name", "text", "step"),
    [
        ("test_model.py", "def test_it():\n    assert False\n", "Test with pytest"),
        pytest.param("broken.py", "def it():\n    return undefined\n", "Lint with ruff", marks=pytest.mark.exhaustive),
    ],
)
def test_what_is_wrong_does_not_get_as_far_as_an_image(world: World, name: str, text: str, step: str) -> None:
    world.repo.put(name, text)
    world.repo.commit()
    checked = world.runner("checked").job(world.repo.workflow(), "check")
    assert checked.failed.startswith(f"{step}: ")
    assert checked.names[-1] == step


@pytest.mark.exhaustive
def test_a_push_that_fails_says_why_where_one_looks(world: World) -> None:
    configuration = (world.repo.folder / "mldeploy.toml").read_text()
    world.repo.put("mldeploy.toml", f'{configuration}[target.ecr]\nrepository = "NOT/A/NAME"\n')
    world.repo.commit()
    failed = world.runner("failed").job(world.repo.workflow("ecr"), "deploy")
    assert failed.failed.startswith("Push the image: ")
    assert failed.names[-1] == "Write the summary"
    assert failed.summary.startswith("mldeploy.toml: target.ecr.repository: ")
    assert failed.outputs == {}


@pytest.mark.exhaustive
@pytest.mark.parametrize("target", [name for name in TARGETS if name not in {"fargate", "kubernetes"}])
def test_every_target_that_brings_its_own_registry(world: World, target: str) -> None:
    world.repo.commit()
    deployed = world.runner(target).job(world.repo.workflow(target), "deploy")
    assert deployed.failed == ""
    assert deployed.summary.strip()
