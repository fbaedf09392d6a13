"""Without credentials that work, one sentence says which were looked for and where, before anybody has to wait."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mldeploy.config.endpoints import PUBLIC
from mldeploy.config.errors import ConfigError
from mldeploy.core.errors import ExitCode
from mldeploy.providers.aws.account import METADATA_SECONDS, authenticate
from mldeploy.providers.aws.errors import AwsCredentialsError
from mldeploy.providers.aws.settings import EcrSettings
from tests.cli.command import ROOT, Command

COMMANDS = [("push",), ("login",), ("plan",), ("status",), ("destroy", "--yes")]
SDK_SECONDS = 120
"""No machine is so slow that all the rest takes that long."""


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_says_what_was_looked_for_and_where(mldeploy: Command, command: tuple[str, ...]) -> None:
    result = mldeploy(*command, "--target", "ecr", "--json")
    assert result.code == ExitCode.ACCESS
    message = str(result.error["what"])
    for source in ("AWS_ACCESS_KEY_ID", "profile 'default'", "aws/credentials", "aws/config", "no role of AWS"):
        assert source in message
    assert "\n" not in message
    assert "aws sso login" in str(result.error["todo"])


def test_the_processor_is_not_kept_busy_for_two_seconds(mldeploy: Command) -> None:
    """On a machine where a command's help takes a quarter of a second of it; another load slows both down.

    Wall time says little on a machine that does other things; what waits is a test of its own.
    """
    assert mldeploy.measure_cpu("push", "--target", "ecr") < 7 * mldeploy.measure_cpu("push", "--help")


@contextmanager
def swallowed() -> Iterator[str]:
    """An address that never answers: its queue of connections is full, so that the kernel drops what comes."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(8)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        yield f"http://127.0.0.1:{full.getsockname()[1]}"
        for each in waiting:
            each.close()


def test_a_metadata_service_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK itself would wait for as long as it is told to, and we ask before it does."""
    assert METADATA_SECONDS < 0.5
    monkeypatch.setenv("AWS_METADATA_SERVICE_TIMEOUT", str(SDK_SECONDS))
    with swallowed() as address:
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", address)
        begun = time.monotonic()
        with pytest.raises(AwsCredentialsError, match="no credentials were found"):
            authenticate("target.ecr", EcrSettings.model_validate({}), PUBLIC)
        assert time.monotonic() - begun < SDK_SECONDS


def test_a_profile_that_is_not_there_is_answered_with_those_that_are(mldeploy: Command, tmp_path: Path) -> None:
    (tmp_path / "aws").mkdir()
    (tmp_path / "aws" / "config").write_text("[profile production]\nregion = eu-west-1\n")
    result = mldeploy("push", "--target", "ecr", "--profile", "prodction")
    assert result.code == ExitCode.ACCESS
    assert "there is no profile 'prodction'" in result.err
    assert "production" in result.err.partition("\n")[2]


def test_half_of_a_key_is_named(mldeploy: Command) -> None:
    result = mldeploy.with_env(AWS_ACCESS_KEY_ID="AKIA")("push", "--target", "ecr")
    assert result.code == ExitCode.ACCESS
    assert "AWS_SECRET_ACCESS_KEY" in result.err


def test_a_sign_in_that_has_expired_is_said_with_what_to_do(mldeploy: Command, tmp_path: Path) -> None:
    (tmp_path / "aws").mkdir()
    (tmp_path / "aws" / "config").write_text(
        "[default]\nsso_session = ours\nsso_account_id = 123456789012\nsso_role_name = developer\nregion = eu-west-1\n"
        "[sso-session ours]\nsso_region = eu-west-1\nsso_start_url = https://ours.example/start\n"
    )
    result = mldeploy.with_env(HOME=str(tmp_path))("push", "--target", "ecr")
    assert result.code == ExitCode.ACCESS
    assert "aws sso login" in result.err
    assert "Traceback" not in result.err


def test_a_region_is_asked_for_by_the_flag_and_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with pytest.raises(ConfigError, match=r"target\.ecr\.region: no region is set") as caught:
        authenticate("target.ecr", EcrSettings.model_validate({}), PUBLIC)
    assert "--region" in caught.value.todo


def test_a_region_of_no_form_is_refused_before_anything_is_asked(mldeploy: Command) -> None:
    result = mldeploy("push", "--target", "ecr", "--region", "Mars")
    assert result.code == ExitCode.CONFIG
    assert '--region: must be the name of a region of AWS, not "Mars"' in result.err


def test_the_account_flags_are_refused_where_there_is_no_account(mldeploy: Command) -> None:
    result = mldeploy("status", "--region", "eu-west-1")
    assert result.code == ExitCode.CONFIG
    assert "--region: unknown key" in result.err


@pytest.mark.engine
@pytest.mark.parametrize("command", ["push", "login"])
def test_a_target_without_registry_says_so(mldeploy: Command, command: str) -> None:
    result = mldeploy(command)
    assert result.code == ExitCode.USAGE
    assert "target local: has no registry" in result.err


def test_without_the_sdk_one_sentence_says_how_to_get_it(mldeploy: Command, tmp_path: Path) -> None:
    for package in ("boto3", "botocore"):
        (tmp_path / "without").mkdir(exist_ok=True)
        (tmp_path / "without" / f"{package}.py").write_text(f"raise ModuleNotFoundError(name={package!r})\n")
    result = mldeploy.with_env(PYTHONPATH=f"{tmp_path / 'without'}{os.pathsep}{ROOT}")("push", "--target", "ecr")
    assert result.code == ExitCode.USAGE
    assert "target ecr: the packages for this target are not installed (boto" in result.err
    assert "pip install 'mldeploy[aws]'" in result.err
