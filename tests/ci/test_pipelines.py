"""The pipelines of GitLab and of Azure: what their schemas take, who is trusted, and their lines, run here."""

from __future__ import annotations

import json
import os
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from mldeploy.ci.git_repository import devops_project, project_path
from mldeploy.ci.signing.base import CiSystem
from mldeploy.ci.stages import PromotionTrigger, StageChoice
from mldeploy.ci.workflow_file import render_workflow
from mldeploy.config.environments import environment_key
from mldeploy.image.engine import Engine
from mldeploy.testing.sample import SampleVersion, sample_app
from tests.ci.programs import Programs
from tests.ci.repo import Repo, Workflow, app, parsed, repo, staged
from tests.ci.scripts import azure_blocks, gitlab_blocks, result_of, run_blocks
from tests.ci.targets import TARGETS
from tests.ci.test_once import ANSWERS, ROLES
from tests.ci.test_run import World
from tests.cli.command import Command
from tests.names import record, remove_app
from tests.rehearsal.available import require_registry
from tests.sampled import BASE

GITLAB, AZURE = CiSystem.GITLAB, CiSystem.AZURE_PIPELINES
SYSTEMS = (GITLAB, AZURE)
SCHEMAS = {GITLAB: "gitlab-ci.json", AZURE: "azure-pipelines.json"}
CONNECTION = {
    "authorization": {
        "parameters": {
            "workloadIdentityFederationIssuer": "https://example.com/1",
            "workloadIdentityFederationSubject": "sc://octo/ml/x",
        }
    }
}


def schema(system: CiSystem) -> Any:
    return json.loads(
        resources.files("check_jsonschema").joinpath(f"builtin_schemas/vendor/{SCHEMAS[system]}").read_text()
    )


def blocks(system: CiSystem, pipeline: Workflow, name: str) -> Iterator[str]:
    return gitlab_blocks(pipeline, name) if system is GITLAB else azure_blocks(pipeline, name)


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("make", [app, staged])
def test_every_pipeline_is_what_the_schema_takes(system: CiSystem, make: Any, tmp_path: Path) -> None:
    made = make(tmp_path / "insurance", "models").on(system)
    made.put("test_app.py", "def test_it():\n    pass\n")
    validator = jsonschema.validators.validator_for(schema(system))(schema(system))
    for target in TARGETS:
        assert validator.is_valid(yaml.safe_load(made.text(target))), target
    wrong = {**yaml.safe_load(made.text()), "stages": 5}
    assert not validator.is_valid(wrong)


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("target", ["fargate", "cloudrun", "containerapps", "kubernetes"])
def test_a_job_with_a_token_builds_tests_and_starts_nothing(system: CiSystem, target: str, tmp_path: Path) -> None:
    made = staged(tmp_path / "insurance").on(system)
    made.put("test_app.py", "def test_it():\n    pass\n")
    pipeline = parsed(made.text(target))
    previews = ("preview", "remove-preview") if system is GITLAB else ()
    for name in ("deploy", "promote", *previews):
        text = "\n".join(blocks(system, pipeline, name))
        assert not re.search(r"mldeploy (build|check)|pytest|ruff|docker run", text), text
        assert re.search(r"mldeploy (deploy .*--image|promote .*--no-check|destroy)", text)
    check = "\n".join(blocks(system, pipeline, "check"))
    assert "mldeploy build --save" in check
    assert not re.search(r"TOKEN|KUBECONFIG|PASSWORD", check)


def test_gitlab_gives_each_job_its_own_token_and_removes_a_preview_when_it_ends(tmp_path: Path) -> None:
    pipeline = parsed(staged(tmp_path / "insurance").on(GITLAB).text("cloudrun"))
    own = "$CI_MERGE_REQUEST_SOURCE_PROJECT_ID == $CI_PROJECT_ID"
    assert "id_tokens" not in pipeline["check"]
    for name in ("preview", "remove-preview"):
        assert own in pipeline[name]["rules"][0]["if"]
        assert pipeline[name]["variables"]["MLDEPLOY_ENV"] == "preview-$CI_MERGE_REQUEST_IID"
        assert pipeline[name]["id_tokens"] == {"ID_TOKEN": {"aud": "https://gitlab.com"}}
    assert pipeline["preview"]["environment"]["on_stop"] == "remove-preview"
    assert pipeline["remove-preview"]["environment"]["action"] == "stop"
    assert pipeline["deploy"]["rules"] == [{"if": '$CI_COMMIT_BRANCH == "main"'}]
    assert pipeline["promote"]["rules"] == [{"if": "$CI_COMMIT_TAG =~ /^v/"}]


@pytest.mark.parametrize("system", SYSTEMS)
def test_an_approval_follows_the_deployment(system: CiSystem, tmp_path: Path) -> None:
    made = staged(tmp_path / "insurance").on(system)
    choice = StageChoice(trigger=PromotionTrigger.APPROVAL)
    pipeline = parsed(render_workflow(made.plan("webapp", choice=choice).spec))
    if system is GITLAB:
        assert (pipeline["promote"]["rules"][0]["when"], pipeline["promote"]["needs"]) == ("manual", ["deploy"])
    else:
        assert pipeline["stages"][-1]["dependsOn"] == ["deploy"]
        setup = [line for step in made.plan("webapp", choice=choice).once for line in step.commands]
        assert any("insurance-production-webapp, Approvals and checks" in line for line in setup)


def test_azure_has_no_previews_since_nothing_would_remove_them(tmp_path: Path) -> None:
    made = staged(tmp_path / "insurance").on(AZURE)
    assert [stage["stage"] for stage in parsed(made.text())["stages"]] == ["check", "deploy", "promote"]
    assert any("there are no previews" in each for each in made.plan().remarks)


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("target", TARGETS)
def test_what_remains_to_be_done_sets_every_variable(system: CiSystem, target: str, tmp_path: Path) -> None:
    made = staged(tmp_path / "insurance").on(system)
    programs = Programs(tmp_path / "bin")
    devops = {
        "glab": 'case "$*" in *--masked*|*KUBECONFIG_FILE*) cat > /dev/null;; esac',
        "az": f"""case "$*" in *"service-endpoint create"*) echo '{json.dumps(CONNECTION)}';; esac\n{ANSWERS["az"]}""",
    }
    for name, body in {**ANSWERS, **devops}.items():
        programs.add(name, body)
    policy = {**ROLES, "includedPermissions": ["a.b"], "Version": "2012-10-17"}
    programs.add("mldeploy", f"echo '{json.dumps(policy)}'")
    plan = made.plan(target)
    script = "\n".join(line for step in plan.once for line in step.commands)
    env = {**os.environ, "PATH": f"{programs.folder}:{os.environ['PATH']}"}
    ran = subprocess.run(
        ("bash", "-euo", "pipefail", "-c", script), cwd=made.folder, env=env, input="typed\n" * 20,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr + script
    known = " ".join(programs.calls)
    for stage in plan.spec.stages:
        for name in (*stage.sign_in.variables, *stage.sign_in.secrets):
            assert re.search(rf"(variable set|--name) {name} ", f"{known} "), name


def test_a_role_of_aws_trusts_the_ref_that_leads_there(tmp_path: Path) -> None:
    commands = [line for step in staged(tmp_path / "a").on(GITLAB).plan().once for line in step.commands]
    subjects = [line.strip() for line in commands if '"gitlab.com:sub"' in line]
    assert subjects == [
        f'"gitlab.com:sub": "project_path:octo/ml/insurance:ref_type:{ref}"'
        for ref in ("branch:ref:*", "branch:ref:main", "tag:ref:v*")
    ]


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("git@gitlab.com:octo/ml/insurance.git", ("gitlab.com", "octo/ml/insurance")),
        ("https://git.example.com/octo/insurance", ("git.example.com", "octo/insurance")),
        ("ssh://git@git.example.com:2222/octo/insurance.git", ("git.example.com", "octo/insurance")),
        ("/srv/git/insurance", ("", "")),
    ],
)
def test_where_a_repository_is(url: str, found: tuple[str, str]) -> None:
    assert project_path(url) == found


def test_where_a_project_of_azure_devops_is() -> None:
    for url in ("https://dev.azure.com/octo/ml/_git/x", "https://o@dev.azure.com/octo/ml/_git/x"):
        assert devops_project(url) == "octo/ml"
    assert devops_project("git@ssh.dev.azure.com:v3/octo/ml/x") == "octo/ml"
    assert devops_project("git@github.com:octo/ml.git") == ""


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_file_is_where_the_system_looks_for_it(system: CiSystem, tmp_path: Path) -> None:
    made = app(tmp_path / "insurance").on(system)
    name = {GITLAB: ".gitlab-ci.yml", AZURE: "azure-pipelines.yml"}[system]
    done = Command(tmp_path / "home", made.folder)("ci", system.value, "--target", "containerapps", "--json")
    assert done.code == 0, done.err
    assert done.document["file"] == str(made.root / name)
    assert (made.root / name).read_text() == done.document["text"]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    require_registry()
    root = tmp_path / "repository"
    root.mkdir()
    engine = Engine.connect()
    made = repo(root, "models")
    with sample_app(made.folder / "price", BASE) as sample:
        there = World(tmp_path, sample, Repo(root, sample.folder))
        there.write(SampleVersion(patience=120.0))
        with (sample.folder / "mldeploy.toml").open("a") as file:
            file.write("[env.preview]\n[env.staging]\n[env.production]\nprotected = true\n")
        there.repo.commit()
        names = [record(environment_key(sample.name, each)) for each in ("preview-7", "staging", "production")]
        yield there
        there.mldeploy("rehearse", "down")
        for name in names:
            remove_app(engine, name)
    engine.client.close()


@pytest.mark.engine
@pytest.mark.exhaustive
@pytest.mark.parametrize("system", SYSTEMS)
def test_from_a_push_to_production_every_line_is_run(world: World, system: CiSystem, tmp_path: Path) -> None:
    pipeline = parsed(world.repo.on(system).text())
    home = {key: value for key, value in world.mldeploy.env.items() if key.startswith("XDG_")}
    env = {**home, "AWS_REGION": "us-east-1", "AWS_ROLE_ARN": "arn:aws:iam::1:role/x", "CI_PIPELINE_SOURCE": "push"}
    folder = tmp_path / "pipeline"
    for number, (name, chosen) in enumerate((("check", "staging"), ("deploy", "staging"), ("promote", ""))):
        own = {**env, **({"MLDEPLOY_ENV": chosen} if chosen else {})}
        assert run_blocks(folder, world.repo, blocks(system, pipeline, name), own) == "", name
        if name != "check":
            url = json.loads(result_of(folder, number))["url"]
            with urllib.request.urlopen(f"{url}/health", timeout=60) as answer:  # noqa: S310 - it is ours
                assert answer.status == 200
    digests = {json.loads(result_of(folder, number))["image"]["digest"] for number in (1, 2)}
    assert len(digests) == 1


@pytest.mark.engine
@pytest.mark.exhaustive
def test_a_merge_request_has_a_preview_until_it_is_closed(world: World, tmp_path: Path) -> None:
    pipeline = parsed(world.repo.on(GITLAB).text())
    home = {key: value for key, value in world.mldeploy.env.items() if key.startswith("XDG_")}
    env = {**home, "AWS_REGION": "us-east-1", "AWS_ROLE_ARN": "arn:aws:iam::1:role/x"}
    env |= {"CI_PIPELINE_SOURCE": "merge_request_event", "CI_MERGE_REQUEST_IID": "7", "MLDEPLOY_ENV": "preview-7"}
    folder = tmp_path / "pipeline"
    for name in ("check", "preview", "remove-preview"):
        assert run_blocks(folder, world.repo, gitlab_blocks(pipeline, name), env) == "", name
    assert (folder / "job-1" / "workspace" / "mldeploy.env").read_text().startswith("APP_URL=http")
    assert json.loads(result_of(folder, 2))["removed"] == []
