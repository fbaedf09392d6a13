"""`login --docker-config`: what the docker command finds afterwards, and what else is in its file."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from docker import auth

from mldeploy.config.secret import Secret
from mldeploy.core.errors import ExitCode
from mldeploy.image.registry.access import RegistryAccess
from mldeploy.image.registry.client import DockerConfigError
from mldeploy.image.registry.docker_config import store

ACCESS = RegistryAccess("registry.example:5000", "AWS", Secret("a-long-token"))


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    return tmp_path / "docker" / "config.json"


def found() -> dict[str, str]:
    """What docker's own SDK makes of it."""
    return dict(auth.load_config().resolve_authconfig(ACCESS.address) or {})


def test_the_docker_command_finds_them(config: Path) -> None:
    assert store(ACCESS) == str(config)
    assert (found()["username"], found()["password"]) == ("AWS", "a-long-token")
    assert config.stat().st_mode & 0o077 == 0


def test_everything_else_stays(config: Path) -> None:
    config.parent.mkdir()
    theirs = {"auths": {"other.example": {"auth": "eDp5"}}, "proxies": {"default": {}}, "currentContext": "mine"}
    config.write_text(json.dumps(theirs))
    store(ACCESS)
    store(ACCESS)
    now = json.loads(config.read_text())
    assert now.pop("auths").keys() == {"other.example", ACCESS.address}
    assert now == {"proxies": {"default": {}}, "currentContext": "mine"}
    assert os.listdir(config.parent) == ["config.json"]  # noqa: PTH208 - names are enough


def test_a_linked_file_stays_a_link(config: Path, tmp_path: Path) -> None:
    config.parent.mkdir()
    real = tmp_path / "dotfiles.json"
    real.write_text("{}")
    config.symlink_to(real)
    store(ACCESS)
    assert config.is_symlink()
    assert found()["username"] == "AWS"


@pytest.mark.parametrize("key", ["credsStore", "credHelpers"])
def test_where_a_program_keeps_them_it_gets_them_on_its_input(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    program = tmp_path / "bin" / "docker-credential-box"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/arguments\ncat > {tmp_path}/input\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    config.parent.mkdir()
    before = json.dumps({key: "box" if key == "credsStore" else {ACCESS.address: "box"}})
    config.write_text(before)
    assert store(ACCESS) == "docker-credential-box"
    assert json.loads((tmp_path / "input").read_text())["Secret"] == "a-long-token"
    assert (tmp_path / "arguments").read_text().strip() == "store"
    assert config.read_text() == before


@pytest.mark.parametrize(
    ("text", "output"),
    [
        ("{", "cannot be read"),
        ("[]", "no JSON object"),
        ('{"auths": 3}', "auths"),
        ('{"credsStore": "absent"}', "docker-credential-absent"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_and_left_alone(config: Path, text: str, output: str) -> None:
    config.parent.mkdir()
    config.write_text(text)
    with pytest.raises(DockerConfigError) as caught:
        store(ACCESS)
    assert output in str(caught.value)
    assert "a-long-token" not in str(caught.value)
    assert caught.value.exit_code is ExitCode.CONFIG
    assert config.read_text() == text
