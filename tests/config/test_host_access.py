"""Which variables a project in a folder of the user's own may read."""

from __future__ import annotations

from pathlib import Path

import pytest

from mldeploy.config.errors import ConfigError
from mldeploy.config.host_access import READABLE_VARIABLES, is_credential
from mldeploy.config.load import load

CREDENTIALS = (
    "AWS_SECRET_ACCESS_KEY", "MY_AWS_KEY", "aws_session_token", "AZURE_CLIENT_SECRET", "ARM_CLIENT_SECRET",
    "GITHUB_TOKEN",
    "GOOGLE_APPLICATION_CREDENTIALS", "GH_TOKEN", "CI_JOB_TOKEN", "DOCKER_PASSWORD", "OPENAI_API_KEY",
    "HF_TOKEN", "NPM_TOKEN",
    "TWINE_PASSWORD", "UV_PUBLISH_TOKEN", "POETRY_PYPI_TOKEN_PYPI", "DATABASE_URL", "PGPASSWORD",
    "VAULT_TOKEN", "SSH_AUTH_SOCK",
    "MLDEPLOY_BUILD_INDEX_URL", "SECRET_KEY", "TF_VAR_token", "PROD_SECRET_ACCESS_KEY",
)  # fmt: skip


@pytest.mark.parametrize("name", CREDENTIALS)
def test_a_credential_of_another_tool_is_never_read_without_a_word(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert is_credential(name)
    if not name.startswith("MLDEPLOY_"):
        monkeypatch.setenv(name, "hunter2")
    (tmp_path / "mldeploy.toml").write_text(f'[build]\nindex_url = "http://u:${{{name}}}@a.example/"\n')
    with pytest.raises(ConfigError) as caught:
        load(tmp_path)
    assert f"{READABLE_VARIABLES}={name}@a.example" in caught.value.todo
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("name", ["PYPI_TOKEN", "INDEX_PASSWORD", "TOKEN", "COMPANY_USER", "PIP_PASSWORD"])
def test_a_variable_for_a_package_index_is_read(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "hunter2")
    (tmp_path / "mldeploy.toml").write_text(f'[build]\nindex_url = "https://u:${{{name}}}@a.example/"\n')
    index = load(tmp_path).build.index
    assert index is not None
    assert index.reveal() == "https://u:hunter2@a.example/"


@pytest.mark.parametrize(
    ("entry", "permitted"),
    [("CI_JOB_TOKEN", True), ("X, CI_JOB_TOKEN@a.example", True), ("CI_JOB_TOKEN@b.example", False), ("CI_JOB", False)],
)
def test_the_user_permits_a_variable_for_a_host(
    tmp_path: Path, entry: str, *, permitted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI_JOB_TOKEN", "hunter2")
    monkeypatch.setenv(READABLE_VARIABLES, entry)
    (tmp_path / "mldeploy.toml").write_text('[build]\nindex_url = "https://u:${CI_JOB_TOKEN}@a.example/"\n')
    if permitted:
        assert load(tmp_path).build.index
    else:
        with pytest.raises(ConfigError, match="CI_JOB_TOKEN"):
            load(tmp_path)


def test_what_the_user_writes_may_hold_any_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI_JOB_TOKEN", "hunter2")
    monkeypatch.setenv("MLDEPLOY_BUILD_INDEX_URL", "https://u:${CI_JOB_TOKEN}@a.example/")
    assert load(tmp_path).build.index


def test_a_name_in_an_env_file_is_a_variable_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    (tmp_path / "app.env").write_text("AWS_SECRET_ACCESS_KEY\n")
    (tmp_path / "mldeploy.toml").write_text('[app]\nenv_file = "app.env"\n')
    with pytest.raises(ConfigError) as caught:
        load(tmp_path)
    assert READABLE_VARIABLES in caught.value.todo
    assert "hunter2" not in str(caught.value)
