"""Two variables, or what `docker login` has left, in the file or with a helper; otherwise one sentence."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from mldeploy.config.endpoints import PUBLIC
from mldeploy.core.errors import ExitCode
from mldeploy.providers.dockerhub.credentials import find_credentials
from mldeploy.providers.dockerhub.errors import HubCredentialsError
from tests.cli.command import Command

COMMANDS = [("push",), ("login",), ("destroy", "--yes")]
HUB = "https://index.docker.io/v1/"


def docker(tmp_path: Path, **config: object) -> None:
    """What `docker login` has written."""
    folder = tmp_path / "docker"
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))


def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A credential helper called `tests`."""
    program = tmp_path / "bin" / "docker-credential-tests"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_says_what_was_looked_for_and_where(mldeploy: Command, command: tuple[str, ...]) -> None:
    result = mldeploy(*command, "--target", "dockerhub", "--json")
    assert result.code == ExitCode.ACCESS
    message = str(result.error["what"])
    for source in ("DOCKERHUB_USERNAME", "DOCKERHUB_TOKEN", "docker/config.json"):
        assert source in message
    assert "access token" in str(result.error["todo"])


def test_half_of_them_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKERHUB_TOKEN", "dckr_pat_secret")
    with pytest.raises(HubCredentialsError, match="DOCKERHUB_TOKEN is set, and DOCKERHUB_USERNAME is not") as caught:
        find_credentials(PUBLIC)
    assert "secret" not in str(caught.value)


def test_variables_come_before_what_docker_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker(tmp_path, auths={HUB: {"auth": base64.b64encode(b"docker:theirs").decode()}})
    assert (find_credentials(PUBLIC).user, find_credentials(PUBLIC).token.reveal()) == ("docker", "theirs")
    monkeypatch.setenv("DOCKERHUB_USERNAME", "me")
    monkeypatch.setenv("DOCKERHUB_TOKEN", "mine")
    assert (find_credentials(PUBLIC).user, find_credentials(PUBLIC).token.reveal()) == ("me", "mine")


@pytest.mark.parametrize("config", [{"credsStore": "tests"}, {"credHelpers": {HUB: "tests"}}], ids=["store", "helper"])
def test_a_helper_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: dict[str, object]) -> None:
    helper(tmp_path, monkeypatch, f'echo \'{{"ServerURL": "{HUB}", "Username": "kept", "Secret": "well"}}\'')
    docker(tmp_path, **config)
    assert (find_credentials(PUBLIC).user, find_credentials(PUBLIC).token.reveal()) == ("kept", "well")


def test_a_helper_that_fails_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helper(tmp_path, monkeypatch, "echo locked >&2; exit 1")
    docker(tmp_path, credsStore="tests")
    with pytest.raises(HubCredentialsError, match="what `docker login` has left cannot be read"):
        find_credentials(PUBLIC)


def test_a_helper_that_is_not_installed_is_named(tmp_path: Path) -> None:
    docker(tmp_path, credsStore="nowhere")
    with pytest.raises(HubCredentialsError, match="docker-credential-nowhere"):
        find_credentials(PUBLIC)


def test_an_identity_token_is_not_taken_for_an_access_token(tmp_path: Path) -> None:
    docker(tmp_path, auths={HUB: {"identitytoken": "opaque"}})
    with pytest.raises(HubCredentialsError, match="identity token"):
        find_credentials(PUBLIC)


def test_a_login_elsewhere_is_none_here(tmp_path: Path) -> None:
    docker(tmp_path, auths={"registry.example": {"auth": base64.b64encode(b"a:b").decode()}})
    with pytest.raises(HubCredentialsError, match="no credentials: neither"):
        find_credentials(PUBLIC)
