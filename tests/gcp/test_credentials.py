"""Without credentials that work, one sentence says which were looked for and where, before anybody has to wait."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from mldeploy.config.endpoints import PUBLIC
from mldeploy.config.errors import ConfigError
from mldeploy.core.errors import ExitCode
from mldeploy.providers.gcp.account import authenticate, resolve_location, resolve_project
from mldeploy.providers.gcp.errors import GcpCredentialsError, GcpError
from mldeploy.providers.gcp.gcloud import Gcloud
from mldeploy.providers.gcp.identity import METADATA_SECONDS, load_credentials
from mldeploy.providers.gcp.settings import GarSettings, GcrSettings
from tests.cli.command import ROOT, Command

COMMANDS = [("push",), ("login",), ("plan",), ("status",), ("destroy", "--yes")]
NOWHERE = "https://127.0.0.1:9/token"
TRIES = 20


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("target", ["gar", "gcr"])
def test_every_command_says_what_was_looked_for_and_where(
    mldeploy: Command, command: tuple[str, ...], target: str
) -> None:
    result = mldeploy(*command, "--target", target, "--json")
    assert result.code == ExitCode.ACCESS
    message = str(result.error["what"])
    for source in ("GOOGLE_APPLICATION_CREDENTIALS", "application_default_credentials.json", "metadata server"):
        assert source in message
    assert "\n" not in message
    assert "gcloud auth application-default login" in str(result.error["todo"])


def test_the_processor_is_not_kept_busy_for_two_seconds(mldeploy: Command) -> None:
    """On a machine where every command's help takes a quarter of a second of it. Another load slows both down."""
    assert mldeploy.measure_cpu("push", "--target", "gar") < 7 * mldeploy.measure_cpu("push", "--help")


@contextmanager
def silent() -> Iterator[str]:
    """An address that takes connections, and never says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield f"127.0.0.1:{listening.getsockname()[1]}"


def test_a_metadata_server_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine only adds to the time that it takes: one of many tries is in time."""
    with silent() as address:
        monkeypatch.setenv("GCE_METADATA_HOST", address)
        assert any(seconds_without_credentials() < 2 - METADATA_SECONDS for _ in range(TRIES))


def seconds_without_credentials() -> float:
    begun = time.monotonic()
    with pytest.raises(GcpCredentialsError, match="no credentials:"):
        authenticate("target.gar", GarSettings.model_validate({}), PUBLIC)
    return time.monotonic() - begun


def test_a_file_that_is_named_and_missing_is_said(mldeploy: Command, tmp_path: Path) -> None:
    named = str(tmp_path / "gone.json")
    result = mldeploy.with_env(GOOGLE_APPLICATION_CREDENTIALS=named)("push", "--target", "gar")
    assert result.code == ExitCode.ACCESS
    assert f"GOOGLE_APPLICATION_CREDENTIALS is {named}, which does not exist" in result.err


@pytest.mark.parametrize("content", ["no JSON", "{}", '{"type": "unheard-of"}', '{"type": "service_account"}'])
def test_a_file_that_cannot_be_used_is_said_without_its_content(
    mldeploy: Command, tmp_path: Path, content: str
) -> None:
    (tmp_path / "key.json").write_text(content)
    named = mldeploy.with_env(GOOGLE_APPLICATION_CREDENTIALS=str(tmp_path / "key.json"))
    result = named("push", "--target", "gar")
    assert result.code == ExitCode.ACCESS
    assert "the credentials cannot be used" in result.err
    assert "Traceback" not in result.err


@pytest.fixture
def key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A service account's key whose token endpoint nobody serves."""
    key = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    account = {
        "type": "service_account",
        "project_id": "of-the-key",
        "private_key_id": "1",
        "private_key": key.decode(),
        "client_email": "robot@of-the-key.iam.gserviceaccount.com",
        "token_uri": NOWHERE,
    }
    path = tmp_path / "key.json"
    path.write_text(json.dumps(account))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    return path


@pytest.mark.usefixtures("key_file")
def test_a_token_that_cannot_be_fetched_is_no_lack_of_credentials() -> None:
    with pytest.raises(GcpError, match="no access token can be fetched") as caught:
        authenticate("target.gar", GarSettings.model_validate({}), PUBLIC, region="us-central1")
    assert caught.value.exit_code is ExitCode.REMOTE


@pytest.mark.usefixtures("key_file")
def test_a_key_says_whose_it_is() -> None:
    identity = load_credentials(Gcloud.load(""), PUBLIC)
    assert identity.user == "robot@of-the-key.iam.gserviceaccount.com"
    assert identity.project == "of-the-key"


def configure(tmp_path: Path, name: str, text: str, *, active: bool = True) -> None:
    """What `gcloud config` writes."""
    folder = tmp_path / "gcloud" / "configurations"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"config_{name}").write_text(text)
    if active:
        (folder.parent / "active_config").write_text(name)


def project_and_place(settings: dict[str, str]) -> tuple[str, str]:
    """What a deployment would be made in."""
    gcloud = Gcloud.load(settings.get("profile", ""))
    table = GarSettings.model_validate(settings)
    project = resolve_project("target.gar", table, gcloud, load_credentials(gcloud, PUBLIC))
    return project, table.region or resolve_location("target.gar", gcloud)


@pytest.mark.usefixtures("key_file")
def test_the_project_and_the_region_are_found_in_gclouds_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(tmp_path, "work", "[core]\nproject = of-gcloud\n[compute]\nregion = europe-west4\n")
    assert project_and_place({}) == ("of-the-key", "europe-west4")
    assert project_and_place({"profile": "work"}) == ("of-gcloud", "europe-west4")
    monkeypatch.setenv("CLOUDSDK_CORE_PROJECT", "of-cloudsdk")
    monkeypatch.setenv("CLOUDSDK_COMPUTE_REGION", "us-east1")
    assert project_and_place({}) == ("of-cloudsdk", "us-east1")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "of-google")
    assert project_and_place({}) == ("of-google", "us-east1")
    assert project_and_place({"project": "of-the-file", "region": "us-west1"}) == ("of-the-file", "us-west1")


@pytest.mark.usefixtures("key_file")
def test_a_zone_of_gclouds_says_the_region(tmp_path: Path) -> None:
    configure(tmp_path, "work", "[compute]\nzone = us-central1-f\n")
    assert project_and_place({})[1] == "us-central1"


def test_a_configuration_that_is_not_there_is_answered_with_those_that_are(mldeploy: Command, tmp_path: Path) -> None:
    configure(tmp_path, "production", "[core]\nproject = p\n", active=False)
    result = mldeploy("push", "--target", "gar", "--profile", "prodction")
    assert result.code == ExitCode.CONFIG
    assert "gcloud has no configuration 'prodction'" in result.err
    assert "production" in result.err.partition("\n")[2]


@pytest.mark.usefixtures("key_file")
def test_a_region_is_asked_for_by_the_flag_and_the_key() -> None:
    with pytest.raises(ConfigError, match=r"target\.gar\.region: no region is set") as caught:
        authenticate("target.gar", GarSettings.model_validate({}), PUBLIC)
    assert "--region" in caught.value.todo


def test_a_region_of_no_form_is_refused_before_anything_is_asked(mldeploy: Command) -> None:
    result = mldeploy("push", "--target", "gar", "--region", "Mars")
    assert result.code == ExitCode.CONFIG
    assert '--region: must be the name of a region of Google Cloud, or us, europe or asia, not "Mars"' in result.err


@pytest.mark.parametrize(
    ("settings", "repository", "location"),
    [
        ({}, "gcr.io", "us"),
        ({"host": "us.gcr.io"}, "us.gcr.io", "us"),
        ({"host": "eu.gcr.io"}, "eu.gcr.io", "europe"),
        ({"region": "eu"}, "eu.gcr.io", "europe"),
        ({"region": "asia"}, "asia.gcr.io", "asia"),
    ],
)
def test_an_old_name_is_a_repository_in_its_own_continent(
    settings: dict[str, str], repository: str, location: str
) -> None:
    parsed = GcrSettings.model_validate(settings)
    assert (parsed.repository, parsed.location) == (repository, location)


def test_without_the_sdk_one_sentence_says_how_to_get_it(mldeploy: Command, tmp_path: Path) -> None:
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "google.py").write_text("raise ModuleNotFoundError(name='google')\n")
    result = mldeploy.with_env(PYTHONPATH=f"{tmp_path / 'without'}{os.pathsep}{ROOT}")("push", "--target", "gar")
    assert result.code == ExitCode.USAGE
    assert "target gar: the packages for this target are not installed (google" in result.err
    assert "pip install 'mldeploy[gcp]'" in result.err
