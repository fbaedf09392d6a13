"""Which engine is talked to, and what is said when none answers."""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mldeploy.core.errors import ExitCode
from mldeploy.image.engine import DEFAULT_ENDPOINT, Engine
from mldeploy.image.errors import EngineError, engine_errors

NOWHERE = "unix:///nowhere/docker.sock"


@pytest.fixture
def docker_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Docker config of the test's own, and an environment that says nothing."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return tmp_path / "config.json"


def add_context(docker_config: Path, name: str, host: str) -> None:
    folder = docker_config.parent / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
    folder.mkdir(parents=True)
    meta = {"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": False}}}
    (folder / "meta.json").write_text(json.dumps(meta))


def refused() -> EngineError:
    with pytest.raises(EngineError) as caught:
        Engine.connect()
    assert caught.value.exit_code is ExitCode.ENGINE
    return caught.value


BROKEN = (
    *("[1]", '{"auths": [1]}', '{"auths": {"a": {"auth": 5}}}', '{"proxies": [1]}', '{"proxies": {"default": 3}}'),
    *('{"auths": {"a": {"auth": "!"}}}', '{"HttpHeaders": 5}', '{"credHelpers": 3}', "[" * 100_000),
)


@pytest.mark.parametrize("text", BROKEN, ids=range(len(BROKEN)))
def test_a_configuration_of_another_shape_is_refused(docker_config: Path, text: str) -> None:
    docker_config.write_text(text)
    assert "cannot be used" in refused().what
    assert str(docker_config) in refused().todo


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")], ids=["pipe", "device"])
def test_a_configuration_that_is_no_regular_file_is_refused(docker_config: Path, make: Callable[[Path], None]) -> None:
    make(docker_config)
    assert "not a regular file" in refused().what


@pytest.mark.usefixtures("docker_config")
@pytest.mark.engine
def test_a_netrc_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "netrc")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert Engine.connect().endpoint == DEFAULT_ENDPOINT


@pytest.mark.usefixtures("docker_config")
@pytest.mark.engine
def test_the_usual_one() -> None:
    assert Engine.connect().endpoint == DEFAULT_ENDPOINT


def test_the_environment_goes_before_any_context(docker_config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_context(docker_config, "other", "unix:///other.sock")
    monkeypatch.setenv("DOCKER_CONTEXT", "other")
    monkeypatch.setenv("DOCKER_HOST", NOWHERE)
    assert refused().where == NOWHERE


def test_the_context_of_the_environment_goes_before_the_current_one(
    docker_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_context(docker_config, "one", "unix:///one.sock")
    add_context(docker_config, "two", "unix:///two.sock")
    docker_config.write_text(json.dumps({"currentContext": "one"}))
    assert refused().where == "unix:///one.sock"
    monkeypatch.setenv("DOCKER_CONTEXT", "two")
    assert refused().where == "unix:///two.sock"


@pytest.mark.engine
def test_a_context_may_lead_to_the_usual_one(docker_config: Path) -> None:
    add_context(docker_config, "desktop", DEFAULT_ENDPOINT)
    docker_config.write_text(json.dumps({"currentContext": "desktop"}))
    assert Engine.connect().client.ping()


@pytest.mark.usefixtures("docker_config")
def test_a_context_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONTEXT", "holiday")
    error = refused()
    assert "holiday" in error.where
    assert "docker context ls" in error.todo


@pytest.mark.usefixtures("docker_config")
def test_nothing_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    error = refused()
    assert error.what == "no Docker Engine answers there"
    assert "Start it" in error.todo


@pytest.mark.usefixtures("docker_config")
@pytest.mark.parametrize("host", ["nonsense", "ftp://x", "tcp://"])
def test_an_address_that_is_none(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    assert "no Docker Engine answers" in refused().what


def test_a_docker_config_that_is_damaged(docker_config: Path) -> None:
    docker_config.write_text('{"auths": {"example.com": "not a table"}}')
    assert refused().where == "Docker's config.json"


@pytest.mark.usefixtures("docker_config")
@pytest.mark.engine
@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody who may not")
def test_a_socket_that_one_may_not_use() -> None:
    nobody = pwd.getpwnam("nobody").pw_uid
    # It becomes nobody after the imports: root's folders may be closed to everybody else.
    script = (
        "import os; from mldeploy.image.engine import Engine; "
        f"os.setgroups([]); os.setgid({nobody}); os.setuid({nobody}); Engine.connect()"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "permission denied for the Docker Engine's socket" in done.stderr
    assert "usermod -aG docker" in done.stderr


def test_a_full_disk_is_told_apart() -> None:
    with pytest.raises(EngineError, match="the disk is full"), engine_errors("build"):
        raise OSError(28, "No space left on device")
