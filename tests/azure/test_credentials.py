"""Without credentials that work, one sentence says which were looked for and where, before anybody has to wait."""

from __future__ import annotations

import json
import os
import socket
import stat
from pathlib import Path

import pytest

from mldeploy.config import load
from mldeploy.config.endpoints import Endpoints
from mldeploy.config.errors import ConfigError
from mldeploy.config.secret import Secret
from mldeploy.core.errors import ExitCode, MldeployError
from mldeploy.providers.azure.account import authenticate, require_region
from mldeploy.providers.azure.acr import provider
from mldeploy.providers.azure.credentials import account_name, token_claims
from mldeploy.providers.azure.errors import AzureCredentialsError, AzureError
from mldeploy.providers.azure.national_clouds import authority_of
from mldeploy.providers.azure.settings import AcrSettings
from mldeploy.rehearsal.azure import AzureRehearsal
from tests.azure.conftest import ELSEWHERE
from tests.cli.command import Command

COMMANDS = [("push",), ("login",), ("plan",), ("status",), ("destroy", "--yes")]
TABLE = "target.acr"
SUBSCRIPTION = "12345678-1234-1234-1234-123456789012"


def settings(**values: object) -> AcrSettings:
    return AcrSettings.model_validate(values)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_says_what_was_looked_for(mldeploy: Command, command: tuple[str, ...]) -> None:
    result = mldeploy(*command, "--target", "webapp", "--json")
    assert result.code == ExitCode.ACCESS
    message = str(result.error["what"])
    for endpoints in ("AZURE_TENANT_ID", "AZURE_CLIENT_SECRET", "managed identity", "`az`"):
        assert endpoints in message
    assert "\n" not in message
    assert "az login" in str(result.error["todo"])
    assert "EnvironmentCredential" not in result.err


def test_the_processor_is_not_kept_busy_for_two_seconds(mldeploy: Command) -> None:
    """On a machine where a command's help takes a quarter of a second of it; another load slows both down."""
    assert mldeploy.measure_cpu("push", "--target", "acr") < 8 * mldeploy.measure_cpu("push", "--help")


def program(folder: Path, name: str, text: str) -> None:
    """Put a program of this name before all others."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "tools"
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def test_az_that_is_not_signed_in_is_as_good_as_none(tools: Path) -> None:
    program(tools, "az", "echo \"ERROR: Please run 'az login' to setup account.\" >&2; exit 1")
    with pytest.raises(AzureCredentialsError, match="no credentials:"):
        authenticate(TABLE, settings(subscription=SUBSCRIPTION), Endpoints())


def test_az_whose_sign_in_has_expired_is_named(tools: Path) -> None:
    program(tools, "az", 'echo "ERROR: AADSTS700082: The refresh token has expired due to inactivity." >&2; exit 1')
    with pytest.raises(AzureCredentialsError) as refused:
        authenticate(TABLE, settings(subscription=SUBSCRIPTION), Endpoints())
    assert "AADSTS700082" in refused.value.what
    assert "`az`" in refused.value.what
    assert "az login" in refused.value.todo


def test_az_that_hands_out_a_token_suffices(tools: Path, tmp_path: Path) -> None:
    """The subscription and the region are those that it has chosen, in files of its own."""
    token = {"accessToken": "opaque", "expiresOn": "2099-01-01 00:00:00.000000", "expires_on": 4070908800}
    program(tools, "az", f"echo '{json.dumps(token)}'")
    folder = tmp_path / "azure-config"
    folder.mkdir()
    chosen = {"subscriptions": [{"id": "another"}, {"id": SUBSCRIPTION, "isDefault": True}]}
    (folder / "azureProfile.json").write_text(json.dumps(chosen), encoding="utf-8-sig")
    (folder / "config").write_text("[defaults]\nlocation = West Europe\n")
    account = authenticate(TABLE, settings(), Endpoints())
    assert (account.subscription, account.region) == (SUBSCRIPTION, "westeurope")
    assert account.user == "an unnamed account"


GOVERNMENT = "[cloud]\nname = AzureUSGovernment\n"


def test_a_national_cloud_is_asked_at_its_own_addresses(
    tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of `az cloud set`, unless the configuration names one: for sign-in, Resource Manager and registries."""
    token = {"accessToken": "opaque", "expiresOn": "2099-01-01 00:00:00.000000", "expires_on": 4070908800}
    log = tmp_path / "log"
    program(tools, "az", f"echo \"$@\" >> {log}; echo '{json.dumps(token)}'")
    (tmp_path / "azure-config").mkdir()
    (tmp_path / "azure-config" / "config").write_text(GOVERNMENT)
    account = authenticate(TABLE, settings(subscription=SUBSCRIPTION), Endpoints())
    assert account.options["base_url"] == "https://management.usgovcloudapi.net"
    assert account.cloud.registry_scope == account.options["credential_scopes"][0]
    assert "https://management.core.usgovcloudapi.net" in log.read_text()
    china = authenticate(TABLE, settings(subscription=SUBSCRIPTION, cloud="AzureChinaCloud"), Endpoints())
    assert china.options["base_url"] == "https://management.chinacloudapi.cn"
    assert authority_of(china.cloud) == "login.chinacloudapi.cn"
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", ELSEWHERE)
    assert authority_of(china.cloud) is None


def test_a_cloud_that_nobody_knows_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "azure-config").mkdir()
    (tmp_path / "azure-config" / "config").write_text("[cloud]\nname = Stack\n")
    with pytest.raises(ConfigError, match="the cloud Stack is not supported") as refused:
        authenticate(TABLE, settings(subscription=SUBSCRIPTION), Endpoints())
    assert "`az cloud set`" in refused.value.todo


def test_a_directory_that_does_not_answer_is_not_a_missing_credential(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AZURE_AUTHORITY_HOST", f"https://127.0.0.1:{unused.getsockname()[1]}")
    for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"):
        monkeypatch.setenv(name, SUBSCRIPTION)
    with pytest.raises(AzureError, match="does not answer") as silent:
        authenticate(TABLE, settings(subscription=SUBSCRIPTION), Endpoints())
    assert silent.value.exit_code is ExitCode.REMOTE


@pytest.mark.engine
def test_a_secret_that_is_wrong_is_told_and_not_shown(rehearsal: AzureRehearsal) -> None:
    endpoints = rehearsal.endpoints
    known = dict(endpoints.credentials) | {"client_secret": Secret("s3cr3t-and-wrong")}
    wrong = Endpoints(endpoints.url, tuple(known.items()), endpoints.region, endpoints.ca_bundle, endpoints.services)
    with pytest.raises(AzureCredentialsError, match="AADSTS7000215") as refused:
        authenticate(TABLE, settings(), wrong)
    assert "s3cr3t" not in str(refused.value)
    assert "AZURE_CLIENT_SECRET" in refused.value.todo


@pytest.mark.engine
def test_a_subscription_that_is_not_there_is_not_an_empty_one(rehearsal: AzureRehearsal) -> None:
    """Its 404 must not count as an absent resource, or a plan would create everything and destroy would do nothing."""
    endpoints = rehearsal.endpoints
    known = dict(endpoints.credentials) | {"subscription_id": Secret(SUBSCRIPTION)}
    elsewhere = Endpoints(
        endpoints.url, tuple(known.items()), endpoints.region, endpoints.ca_bundle, endpoints.services
    )
    project = load.named("paper", "a test")
    cloud = provider.connect(project, settings(), elsewhere)
    with pytest.raises(MldeployError) as refused:
        provider.inventory(cloud, project)
    assert refused.value.exit_code is ExitCode.ACCESS
    assert "az account list" in refused.value.todo


@pytest.mark.engine
def test_without_a_subscription_or_a_region(rehearsal: AzureRehearsal) -> None:
    endpoints = rehearsal.endpoints
    known = {name: value for name, value in endpoints.credentials if name != "subscription_id"}
    nowhere = Endpoints(endpoints.url, tuple(known.items()), "", endpoints.ca_bundle, endpoints.services)
    with pytest.raises(AzureCredentialsError, match="no subscription is set") as missing:
        authenticate(TABLE, settings(), nowhere)
    assert missing.value.where == "target.acr.subscription"
    account = authenticate(TABLE, settings(subscription=SUBSCRIPTION), nowhere)
    with pytest.raises(ConfigError, match="no region is set"):
        require_region(account)


def test_a_tokens_owner_is_told_by_the_name_that_people_know() -> None:
    assert account_name({"oid": "1", "appid": "2", "upn": "ada@example.com"}) == "ada@example.com"
    assert account_name(token_claims("not.a.token")) == "an unnamed account"
    assert account_name(token_claims("")) == "an unnamed account"
