"""A pull request, its end, a push and a tag: every line of the workflow is run, in order; the cloud is rehearsed."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from mldeploy.config.environments import environment_key
from mldeploy.image.engine import Engine
from mldeploy.testing.sample import SampleVersion, sample_app
from tests.ci.repo import Repo, Workflow, repo
from tests.ci.runner import Ran, Runner
from tests.ci.test_run import World
from tests.names import record, remove_app
from tests.rehearsal.available import require_registry
from tests.sampled import BASE

pytestmark = [pytest.mark.engine, pytest.mark.exhaustive]

ENVIRONMENTS = "[env.preview]\n[env.staging]\n[env.production]\nprotected = true\n"
COMMENTS = """\
case "$*" in
  *PATCH*) echo changed >> {0};;
  *POST*) echo 17 > {0}.id;;
  *) cat {0}.id 2> /dev/null || true;;
esac
printf '%s\\n' "${{@: -1}}" > {0}.body
"""
NUMBER, PREVIEW = "github.event.pull_request.number", "preview-7"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    require_registry()
    root = tmp_path / "repository"
    root.mkdir()
    made = repo(root, "models")
    engine = Engine.connect()
    with sample_app(made.folder / "price", BASE) as app:
        there = World(tmp_path, app, Repo(root, app.folder))
        there.write(SampleVersion(patience=120.0))
        with (app.folder / "mldeploy.toml").open("a") as file:
            file.write(ENVIRONMENTS)
        there.repo.commit()
        names = [record(environment_key(app.name, name)) for name in (PREVIEW, "staging", "production")]
        yield there
        there.mldeploy("rehearse", "down")
        for name in names:
            remove_app(engine, name)
    engine.client.close()


class Event:
    """One run of the workflow. known: what its expressions mean."""

    def __init__(self, world: World, name: str, environment: str, **known: str) -> None:
        self.workflow: Workflow = world.repo.workflow()
        built = self.workflow["jobs"]["check"]["env"]["MLDEPLOY_ENV"].removeprefix("${{ ").removesuffix(" }}")
        plain = world.runner(name)
        expressions = {
            built: environment,
            NUMBER: "7",
            "github.token": "t",
            "github.event.pull_request.head.sha": "abc",
        }
        self.body = world.folder / "comment.body"
        programs = {"gh": COMMENTS.format(world.folder / "comment")}
        self.runner = Runner(plain.folder, plain.repo, {**plain.known, **expressions, **known}, plain.given, programs)

    def job(self, name: str) -> Ran:
        ran = self.runner.job(self.workflow, name)
        assert ran.failed == ""
        return ran

    def handed_over(self) -> Workflow:
        document = json.loads((self.runner.folder / "artifacts" / "image" / "mldeploy.json").read_text())
        assert isinstance(document, dict)
        return document


def forget(reference: str) -> None:
    """Another machine has not built it."""
    engine = Engine.connect()
    engine.client.remove_image(reference, force=True)
    engine.client.close()


def health(url: str) -> int:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=60) as answer:  # noqa: S310 - it is ours
            return int(answer.status)
    except urllib.error.URLError:
        return 0


def test_a_pull_request_has_a_preview_until_it_is_closed(world: World) -> None:
    assert world.mldeploy("ci", "github", "--target", "fargate").code == 0
    opened = Event(world, "opened", PREVIEW)
    assert "Test with pytest" in opened.job("check").names
    forget(opened.handed_over()["image"])
    deployed = opened.job("preview")
    url = deployed.outputs["mldeploy.url"]
    assert health(url) == 200
    assert environment_key(world.app.name, PREVIEW) in deployed.summary

    said = Event(world, "said", PREVIEW, **{"needs.preview.outputs.url": url})
    said.job("comment")
    assert f"Preview of {world.app.name} on fargate: {url} (abc)" in said.body.read_text()

    closed = Event(world, "closed", PREVIEW, **{"needs.preview.outputs.url": ""})
    assert closed.job("remove").names[-1] == "Prove that nothing is left"
    assert health(url) == 0
    closed.job("comment")
    assert "removed, nothing is left" in closed.body.read_text()
    assert (world.folder / "comment").read_text() == "changed\n", "one comment, which is kept up to date"


def test_a_push_reaches_staging_and_a_tag_brings_the_same_digest_to_production(world: World) -> None:
    pushed = Event(world, "pushed", "staging")
    pushed.job("check")
    forget(pushed.handed_over()["image"])
    staging = pushed.job("deploy")
    assert health(staging.outputs["mldeploy.url"]) == 200

    production = Event(world, "tagged", "staging").job("promote")
    assert health(production.outputs["mldeploy.url"]) == 200
    digests = {ran.summary.partition("@sha256:")[2].partition("`")[0] for ran in (staging, production)}
    assert len(digests) == 1
    assert "" not in digests

    world.repo.put("further.py", "")
    world.repo.commit()
    refused = Event(world, "too-early", "staging")
    ran = refused.runner.job(refused.workflow, "promote")
    assert ran.failed.startswith("Compare with what staging serves: ")
    assert "which has other files than this one" in ran.failed
