"""A workflow with environments: what leads where, and that a job with a cloud's token runs nothing of the folder."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from mldeploy.ci.stages import PromotionTrigger, StageChoice
from mldeploy.ci.workflow_file import render_workflow
from mldeploy.config.errors import ConfigError
from tests.ci.repo import Repo, Workflow, lines, parsed, staged
from tests.ci.targets import TARGETS
from tests.ci.test_workflow import ACTIONS, OIDC, schema

RUNTIMES = [name for name in TARGETS if name not in {"acr", "dockerhub", "ecr", "gar", "gcr"}]
OWN = "github.event.pull_request.head.repo.full_name == github.repository"


@pytest.fixture
def environments(tmp_path: Path) -> Repo:
    return staged(tmp_path / "insurance")


def jobs(repo: Repo, target: str = "fargate", choice: StageChoice | None = None) -> Workflow:
    plan = repo.plan(target, choice=choice or StageChoice())
    return parsed(render_workflow(plan.spec))["jobs"]


@pytest.mark.parametrize("target", RUNTIMES)
def test_it_is_what_github_takes_and_no_line_holds_an_expression(target: str, environments: Repo) -> None:
    environments.put("test_app.py", "def test_it():\n    pass\n")
    text = environments.text(target)
    jsonschema.validate(yaml.safe_load(text.replace("\non:", '\n"on":')), schema())
    assert "pull_request_target" not in text
    assert set(re.findall(r"uses: (\S+)", text)) <= ACTIONS
    for job in parsed(text)["jobs"].values():
        assert all("${{" not in step.get("run", "") for step in job["steps"])


@pytest.mark.parametrize("target", RUNTIMES)
def test_a_job_with_a_token_builds_tests_and_starts_nothing(target: str, environments: Repo) -> None:
    environments.put("test_app.py", "def test_it():\n    pass\n")
    environments.put("requirements-dev.txt", "pytest\n")
    written = jobs(environments, target)
    holding = {name for name, job in written.items() if "environment" in job}
    assert holding == {"preview", "remove", "deploy", "promote"}
    for name, job in written.items():
        assert ("id-token" in job.get("permissions", {})) == (name in holding and target in OIDC)
        assert name in holding or not re.search(r"(vars|secrets)\.", json.dumps(job))
    for name in holding:
        for line in lines({"jobs": written}, name):
            assert not re.search(r"mldeploy (build|check)|pytest|ruff|pip install|docker (run|build)", line), line
        (verb,) = {line.split()[1] for line in lines({"jobs": written}, name) if line.startswith("mldeploy ")}
        assert verb in {"deploy", "destroy", "promote"}
    for name in ("preview", "deploy"):
        assert any('--image "$RUNNER_TEMP/image"' in line for line in lines({"jobs": written}, name))
    assert any("--no-check" in line for line in lines({"jobs": written}, "promote"))


def test_each_stage_has_its_trigger_its_environment_and_its_role(environments: Repo) -> None:
    plan = environments.plan()
    workflow = parsed(render_workflow(plan.spec))
    written = workflow["jobs"]
    assert workflow["on"]["pull_request"] == {"types": ["opened", "synchronize", "reopened", "closed"]}
    assert workflow["on"]["push"] == {"branches": ["main"], "tags": ["v*"]}
    assert workflow["concurrency"]["group"].endswith("${{ github.event.pull_request.number || github.run_id }}")
    for name, event in (("preview", "github.event_name == 'pull_request'"), ("remove", "action == 'closed'")):
        assert event in written[name]["if"]
        assert OWN in written[name]["if"]
        assert written[name]["environment"]["name"] == "insurance-preview-fargate"
        assert written[name]["env"] == {"MLDEPLOY_ENV": "preview-${{ github.event.pull_request.number }}"}
    assert written["comment"]["permissions"] == {"pull-requests": "write"}
    assert written["deploy"]["environment"]["name"] == "insurance-staging-fargate"
    assert written["promote"]["if"] == "startsWith(github.ref, 'refs/tags/v')"
    assert written["promote"]["environment"]["name"] == "insurance-production-fargate"
    commands = [line for step in plan.once for line in step.commands]
    roles = [line.split()[4] for line in commands if line.startswith("aws iam create-role")]
    assert roles == [f"mldeploy-ci-insurance-{name}" for name in ("preview", "staging", "production")]
    granted = [line for line in commands if line.startswith("aws iam put-role-policy")]
    assert [re.findall(r"--env (\S+)", line) for line in granted] == [
        ["preview"],
        ["staging"],
        ["production"],
        ["staging"],
    ]
    assert ["--with previews" in line for line in granted] == [True, False, False, False]
    for name in ("preview", "staging", "production"):
        assert f'"repo:octo/insurance:environment:insurance-{name}-fargate",' in "\n".join(commands).replace(
            " ", ""
        ) or any(f"environment:insurance-{name}-fargate" in line for line in commands)


def test_an_approval_follows_the_deployment(environments: Repo) -> None:
    choice = StageChoice(trigger=PromotionTrigger.APPROVAL)
    assert jobs(environments, choice=choice)["promote"]["needs"] == "deploy"
    setup = [line for step in environments.plan(choice=choice).once for line in step.commands]
    assert any("reviewers" in line and "insurance-production-fargate" in line for line in setup)


def test_environments_of_other_names_are_chosen(environments: Repo) -> None:
    environments.put("mldeploy.toml", '[app]\nname = "x"\nmodels = []\n[env.test]\n[env.live]\n')
    plain = environments.plan()
    assert not plain.spec.is_staged
    assert any("environments are left out: test, live" in each for each in plain.remarks)
    chosen = jobs(environments, choice=StageChoice("test", "live"))
    assert any("mldeploy promote test live" in line for line in lines({"jobs": chosen}, "promote"))
    for choice, message in (
        (StageChoice("tst"), '--env: there is no environment "tst"'),
        (StageChoice(promote="live"), "--promote: needs an environment whose image is promoted"),
    ):
        with pytest.raises(ConfigError, match=message):
            environments.plan(choice=choice)


@pytest.mark.parametrize(
    ("target", "key"),
    [("cloudrun", "project"), ("containerapps", "resource_group"), ("kubernetes", "namespace"), ("gke", "project")],
)
def test_previews_that_no_role_can_be_limited_to_are_refused(target: str, key: str, repo: Repo) -> None:
    with (repo.folder / "mldeploy.toml").open("a") as file:
        file.write(f'{key} = "shared"\n[env.preview]\n' if target == "kubernetes" else "[env.preview]\n")
    with pytest.raises(ConfigError, match=rf"env\.preview\.target\.{target}\.{key}: is missing"):
        repo.plan(target)


def test_previews_that_somebody_would_have_to_confirm_are_refused(repo: Repo) -> None:
    with (repo.folder / "mldeploy.toml").open("a") as file:
        file.write("[env.preview]\nprotected = true\n")
    with pytest.raises(ConfigError, match=r"env\.preview\.protected"):
        repo.plan()


@pytest.mark.parametrize("target", ["ecr", "dockerhub"])
def test_a_registry_has_no_environments(target: str, environments: Repo) -> None:
    plan = environments.plan(target)
    assert not plan.spec.is_staged
    assert any("the target runs no apps" in each for each in plan.remarks)
