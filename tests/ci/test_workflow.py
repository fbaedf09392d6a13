"""What is written for every target: what GitHub takes, and what is unsafe in it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from mldeploy.config.errors import ConfigError
from mldeploy.providers import registry
from mldeploy.providers.capabilities import Runtime
from tests.ci.repo import Repo, app, lines, parsed, staged
from tests.ci.targets import TARGETS

OIDC = {"cloudrun", "containerapps", "ecr", "fargate", "gar", "gcr", "gke", "acr", "webapp"}
SCHEMA = "builtin_schemas/vendor/github-workflows.json"
ACTIONS = {
    "actions/checkout@v6",
    "actions/download-artifact@v8",
    "actions/setup-python@v6",
    "actions/upload-artifact@v7",
    "aws-actions/configure-aws-credentials@v6",
    "azure/login@v3",
    "google-github-actions/auth@v3",
}
"""Major versions that there are: look them up before another one is written here."""
POLICY = "rules:\n  unpinned-uses:\n    config:\n      policies:\n        '*': ref-pin\n"
"""Major versions on purpose: docs/decisions/0027-the-workflow.md."""


@pytest.fixture(scope="module", params=[("", name) for name in TARGETS] + [("models/insurance app", "gke")])
def text(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    below, target = request.param
    made = app(tmp_path_factory.mktemp("repo") / "insurance", below)
    made.put("test_app.py", "def test_it():\n    pass\n")
    return made.text(target)


def schema() -> Any:
    return json.loads(resources.files("check_jsonschema").joinpath(SCHEMA).read_text())


def test_it_is_what_github_takes(text: str) -> None:
    jsonschema.validate(yaml.safe_load(text.replace("\non:", '\n"on":')), schema())


def test_the_schema_finds_what_is_wrong(repo: Repo) -> None:
    wrong = yaml.safe_load(repo.text().replace("\non:", '\n"on":').replace("runs-on:", "runs-at:"))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, schema())


def test_no_line_that_is_run_holds_an_expression(text: str) -> None:
    for job in parsed(text)["jobs"].values():
        for step in job["steps"]:
            assert "${{" not in step.get("run", "")


def test_secrets_are_in_the_environment_of_single_steps_of_the_deployment_alone(text: str) -> None:
    jobs = parsed(text)["jobs"]
    assert "secrets." not in json.dumps(jobs["check"])
    for step in jobs["deploy"]["steps"]:
        rest = {key: value for key, value in step.items() if key != "env"}
        assert "secrets." not in json.dumps(rest)
    assert "secrets." not in json.dumps({key: value for key, value in jobs["deploy"].items() if key != "steps"})


def test_only_the_deployment_gets_a_token_and_only_where_it_is_for_something(text: str) -> None:
    workflow = parsed(text)
    assert workflow["permissions"] == {"contents": "read"}
    assert "permissions" not in workflow["jobs"]["check"]
    rights = workflow["jobs"]["deploy"]["permissions"]
    target = workflow["jobs"]["deploy"]["name"].rpartition(" ")[2]
    assert rights == {"contents": "read", **({"id-token": "write"} if target in OIDC else {})}


def test_it_deploys_one_after_the_other_what_is_pushed_to_the_branch_once_it_is_good(text: str) -> None:
    workflow = parsed(text)
    deploy = workflow["jobs"]["deploy"]
    assert deploy["needs"] == "check"
    assert deploy["if"] == "github.event_name != 'pull_request' && github.ref == 'refs/heads/main'"
    assert deploy["concurrency"]["cancel-in-progress"] == "false"
    assert "github.ref" not in deploy["concurrency"]["group"]
    assert set(workflow["on"]) == {"pull_request", "push", "workflow_dispatch"}
    assert workflow["on"]["push"]["branches"] == ["main"]
    assert all("timeout-minutes" in job for job in workflow["jobs"].values())


def test_the_deployment_signs_in_after_the_image_is_built_and_leaves_the_tests_to_the_other_job(text: str) -> None:
    steps = parsed(text)["jobs"]["deploy"]["steps"]
    names = [step["name"] for step in steps]
    built = names.index("Build the image")
    assert all(built < at for at, name in enumerate(names) if name.startswith("Sign in"))
    assert not any("pytest" in line or "pip install -" in line for line in lines(parsed(text), "deploy"))


def test_actions_are_those_that_there_are_and_mldeploy_is_the_one_that_wrote_it(text: str) -> None:
    result = set(re.findall(r"uses: (\S+)", text))
    assert result <= ACTIONS
    installed = re.findall(r"pipx install '(mldeploy\S*)'", text)
    assert len(installed) == 2
    assert all(re.fullmatch(r"mldeploy(\[\w+\])?==\d+\.\d+\.\d+", each) for each in installed)


def test_the_tool_that_looks_for_what_is_unsafe_finds_nothing(tmp_path: Path) -> None:
    (tmp_path / "zizmor.yml").write_text(POLICY)
    for target in TARGETS:
        made = app(tmp_path / target / "insurance")
        (tmp_path / f"{target}.yml").write_text(made.text(target))
        (tmp_path / f"{target}-environments.yml").write_text(
            staged(tmp_path / f"{target}-e" / "insurance").text(target)
        )
    result = _zizmor(tmp_path)
    assert (result.returncode, result.stdout) == (0, "No findings to report. Good job!\n"), (
        result.stdout + result.stderr
    )


def test_that_tool_would_find_an_event_in_a_line_that_is_run(repo: Repo, tmp_path: Path) -> None:
    (tmp_path / "zizmor.yml").write_text(POLICY)
    unsafe = repo.text().replace("mldeploy build", "echo ${{ github.event.pull_request.title }}", 1)
    (tmp_path / "unsafe.yml").write_text(unsafe)
    assert "template-injection" in _zizmor(tmp_path).stdout


def _zizmor(folder: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("zizmor")
    files = sorted(path for path in folder.glob("*.yml") if path.name != "zizmor.yml")
    command = [
        str(program),
        "--offline",
        "--no-progress",
        "--color",
        "never",
        "--pedantic",
        "--config",
        str(folder / "zizmor.yml"),
    ]
    return subprocess.run([*command, *map(str, files)], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("target", TARGETS)
def test_the_last_command_is_that_of_the_target(target: str, repo: Repo) -> None:
    verb = "deploy" if isinstance(registry.find(target), Runtime) else "push"
    assert repo.plan(target).spec.verb == verb
    assert f"mldeploy {verb} --target {target} --json" in repo.text(target)


def test_every_target_but_this_machine_has_a_workflow() -> None:
    assert set(TARGETS) | {"local"} == set(registry.built_in())


def test_what_the_configuration_says_is_no_variable_any_more(repo: Repo) -> None:
    assert "AWS_REGION" in repo.plan().variables
    repo.put("mldeploy.toml", '[app]\nname = "insurance"\nmodels = []\n[target.fargate]\nregion = "eu-west-1"\n')
    result = repo.plan()
    assert result.variables == ("AWS_ROLE_ARN",)
    assert "aws-region: eu-west-1" in repo.text()


def test_a_profile_of_this_machine_is_refused(repo: Repo) -> None:
    repo.put("mldeploy.toml", '[app]\nname = "insurance"\nmodels = []\n[target.fargate]\nprofile = "work"\n')
    with pytest.raises(ConfigError, match=r"target\.fargate\.profile.*GitHub runners do not have"):
        repo.plan()


def test_a_cluster_without_a_registry_is_refused(repo: Repo) -> None:
    repo.put("mldeploy.toml", '[app]\nname = "insurance"\nmodels = []\n')
    with pytest.raises(ConfigError, match=r"target\.kubernetes\.registry"):
        repo.plan("kubernetes")


def test_google_s_credentials_are_left_beside_the_app(repo: Repo) -> None:
    """The action writes them to where the job stands, and what stands in the app's folder gets into its image."""
    job = repo.workflow("gke")["jobs"]["deploy"]
    assert job["steps"][0]["with"]["path"] == "source"
    assert job["defaults"]["run"]["working-directory"] == "source"


def test_the_token_that_is_good_for_minutes_is_exchanged_at_once(repo: Repo) -> None:
    from mldeploy.providers.azure.national_clouds import PUBLIC  # noqa: PLC0415

    fetched = [line.split()[4] for line in lines(repo.workflow("webapp"), "deploy") if line.startswith("az account")]
    assert fetched == [PUBLIC.scope, PUBLIC.registry_scope]
