"""Two environments of one app, as a user has them: separate, promoted, protected, and listed."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from mldeploy.config.environments import environment_key
from mldeploy.config.load import load
from mldeploy.config.paths import config_file
from mldeploy.image.engine import Engine
from mldeploy.image.labels import BRANCH
from tests.cli.command import Command, Result
from tests.cli.completing import complete
from tests.names import record, remove_app

SERVER = """\
import os
from http.server import BaseHTTPRequestHandler, HTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ["LEVEL"].encode())


HTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
"""
TABLES = """
[app.env]
LEVEL = "none"

[target.local]
port = 0

[env.staging.app.env]
LEVEL = "staging"

[env.production]
protected = true

[env.production.app.env]
LEVEL = "production"

[env.other.build.args]
COLOR = "blue"

[env.other.app]
port = 6000
"""
ENVIRONMENTS = ("staging", "production")


@pytest.fixture
def environments(mldeploy: Command) -> Command:
    with (mldeploy.folder / "mldeploy.toml").open("a") as toml:
        toml.write(TABLES)
    return mldeploy


@pytest.fixture
def deployed(environments: Command, name: str) -> Iterator[Command]:
    """A small app in a git repository, on this machine's engine; nothing of it is left afterwards."""
    folder = environments.folder
    base = load(folder).build.base_image
    (folder / "app.py").write_text(SERVER)
    (folder / "Dockerfile").write_text(f'FROM {base}\nCOPY app.py /app.py\nUSER 10001\nCMD ["python3", "/app.py"]\n')
    if config_file().exists():
        own = environments.home / "config" / "mldeploy"
        own.mkdir(parents=True)
        shutil.copy(config_file(), own)
    git = ("git", "-c", "user.name=ada", "-c", "user.email=ada@example.com")
    for words in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-qm", "first")):
        subprocess.run((*git, *words), cwd=folder, check=True)
    names = [name, *(record(environment_key(name, each)) for each in ENVIRONMENTS)]
    engine = Engine.connect()
    yield environments
    for each in names:
        remove_app(engine, each)
    engine.client.close()


def succeed(result: Result) -> dict[str, Any]:
    assert result.code == 0, result.err + result.out
    return result.document


def test_an_unknown_environment_is_refused_by_every_command(environments: Command) -> None:
    for words in (["plan"], ["status"], ["destroy"], ["build"], ["check"], ["images"], ["ps"], ["history"]):
        result = environments("--env", "stagng", *words)
        assert result.code == 3, result.err
        assert 'there is no environment "stagng"; did you mean "staging"?' in result.err
        assert "Environments: other, production and staging." in result.err


def test_commands_without_an_environment_refuse_the_flag(environments: Command) -> None:
    result = environments("init", "--env", "staging")
    assert "--env: does not apply to `mldeploy init`" in result.err
    assert environments.with_env(MLDEPLOY_ENV="staging")("version").code == 0


@pytest.mark.parametrize("before", [True, False])
def test_tab_completes_the_environments(environments: Command, before: bool) -> None:
    line = "mldeploy --env " if before else "mldeploy status --env "
    assert complete(environments, line) == ["other", "production", "staging"]


def test_environments_that_build_different_images_are_not_promoted(environments: Command) -> None:
    result = environments("promote", "staging", "other")
    assert "staging and other build different images: they differ in app.port and build.args" in result.err
    assert "cannot be promoted to itself" in environments("promote", "staging", "staging").err


@pytest.mark.engine
def test_from_staging_to_production_and_back_to_nothing(deployed: Command, name: str) -> None:
    staging = succeed(deployed("deploy", "--env", "staging", "--json"))
    assert staging["app"] == environment_key(name, "staging")
    assert requests.get(staging["url"], timeout=60).text == "staging"

    promote = ("promote", "staging", "production", "--json")
    refused = deployed(*promote)
    assert refused.error["todo"] == "Use `--confirm production`."
    production = succeed(deployed(*promote, "--confirm", "production"))
    assert production["image"]["digest"] == staging["image"]["digest"]
    assert requests.get(production["url"], timeout=60).text == "production"
    assert succeed(deployed("plan", "--env", "production", "--json"))["noop"], "the same files, the same image"
    assert succeed(deployed.with_env(MLDEPLOY_ENV="staging")("plan", "--json"))["noop"]

    _check_source(deployed)
    listed = {each["app"]: each for each in succeed(deployed("apps", "-t", "local", "--json"))["apps"]}
    assert {listed[environment_key(name, each)]["environment"] for each in ENVIRONMENTS} == set(ENVIRONMENTS)
    assert listed[staging["app"]]["url"] == staging["url"]

    assert deployed("destroy", "--env", "production", "--yes").code == 2, "it is protected"
    assert deployed("destroy", "--app", environment_key(name, "production"), "--yes").code == 2
    assert succeed(deployed("destroy", "--env", "staging", "--yes", "--json"))["removed"]
    assert requests.get(production["url"], timeout=60).text == "production"
    assert succeed(deployed("destroy", "--env", "production", "--confirm", "production", "--json"))["removed"]
    assert not [each for each in deployed.state.iterdir() if each.is_dir()], "no state is left"
    assert name not in json.dumps(Engine.connect().client.images())


def _check_source(deployed: Command) -> None:
    """The commit, the branch and who deployed are shown, and a change that is not committed."""
    head = subprocess.run(("git", "rev-parse", "HEAD"), cwd=deployed.folder, capture_output=True, text=True, check=True)
    release = succeed(deployed("status", "--env", "production", "--json"))["release"]
    assert (release["commit"], release["dirty"], release["branch"]) == (head.stdout.strip(), False, "main")
    assert "@" in release["deployed_by"]
    image = Engine.connect().client.inspect_image(release["image"])
    assert image["Config"]["Labels"][BRANCH] == "main"
    with (deployed.folder / "mldeploy.toml").open("a") as toml:
        toml.write("# a comment, which is in no image\n")
    again = deployed.with_env(GITHUB_ACTOR="octocat")("deploy", "--env", "staging", "--json")
    assert {step["action"] for step in succeed(again)["steps"]} == {"unchanged"}
    (newest,) = succeed(deployed("history", "--env", "staging", "--json"))["releases"]
    assert (newest["dirty"], newest["deployed_by"]) == (True, "octocat")


@pytest.mark.engine
def test_the_name_of_a_protected_environment_is_typed(deployed: Command) -> None:
    with deployed.on_terminal("deploy", "--env", "production", columns=200) as terminal:
        terminal.expect("Type its name (production) to continue:")
        terminal.press("yes\r")
        assert terminal.end() == 2
    assert "canceled; nothing was changed" in terminal.text
    with deployed.on_terminal("deploy", "--env", "production", columns=200) as terminal:
        terminal.expect("Type its name (production) to continue:")
        terminal.press("production\r")
        assert terminal.end() == 0
    assert succeed(deployed("deploy", "--env", "production", "--json")), "only the first one asks"
    assert succeed(deployed("destroy", "--env", "production", "--confirm", "production", "--json"))


def test_targets_that_cannot_be_asked_do_not_fail_the_others(environments: Command) -> None:
    lost = environments.with_env(
        DOCKER_HOST=f"unix://{environments.home}/nowhere", HOME=str(environments.home), AWS_EC2_METADATA_DISABLED="true"
    )
    document = succeed(lost("apps", "--json"))
    assert document["apps"] == []
    assert {"local", "kubernetes"} <= {each["target"] for each in document["unlisted"]}
    assert all(each["reason"] and "\n" not in each["reason"] for each in document["unlisted"])
    assert {"ecr", "acr", "gar", "dockerhub"}.isdisjoint(each["target"] for each in document["unlisted"])
    assert lost("apps", "-t", "local").code != 0
    assert "runs no apps" in lost("apps", "-t", "ecr").err
