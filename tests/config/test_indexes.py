"""Package indexes and whose credentials they get."""

from __future__ import annotations

from pathlib import Path

import pytest

from mldeploy.config.errors import ConfigError
from mldeploy.config.indexes import index
from mldeploy.config.load import load
from mldeploy.config.override import Override

PLACE = "mldeploy.toml: build.index_url"


@pytest.mark.parametrize(
    ("text", "variables", "url", "whole"),
    [
        ("https://a.example/simple", {}, "https://a.example/simple", "https://a.example/simple"),
        (
            "https://${U}:${P}@a.example/simple",
            {"U": "us@er", "P": "p/w"},
            "https://a.example/simple",
            "https://us%40er:p%2Fw@a.example/simple",
        ),
        ("https://${BOTH}@a.example/", {"BOTH": "u:p%2Fw"}, "https://a.example/", "https://u:p%2Fw@a.example/"),
        ("http://token@a.example:8080/", {}, "http://a.example:8080/", "http://token@a.example:8080/"),
    ],
)
def test_variables_stand_for_credentials(
    tmp_path: Path, text: str, variables: dict[str, str], url: str, whole: str
) -> None:
    parsed = index(text, PLACE, {"NETRC": str(tmp_path / "none"), **variables})
    assert parsed.url == url
    assert parsed.reveal() == whole
    assert "p%2Fw" not in repr(parsed)


def test_a_password_in_a_file_is_refused_and_not_told() -> None:
    with pytest.raises(ConfigError) as caught:
        index("https://user:hunter2@a.example/", PLACE, {})
    assert "hunter2" not in str(caught.value)
    assert "${NAME}" in caught.value.todo


def test_a_variable_may_hold_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLDEPLOY_BUILD_INDEX_URL", "https://user:hunter2@a.example/")
    parsed = load(tmp_path).build.index
    assert parsed is not None
    assert parsed.reveal() == "https://user:hunter2@a.example/"
    assert "hunter2" not in repr(load(tmp_path))


def test_a_variable_that_is_not_set_is_named() -> None:
    with pytest.raises(ConfigError, match="the variable TOKEN is not set"):
        index("https://${TOKEN}@a.example/", PLACE, {})


def test_a_netrc_file_knows_the_rest(tmp_path: Path) -> None:
    file = tmp_path / "netrc"
    file.write_text("machine a.example login me password s/cret\n")
    file.chmod(0o600)
    assert index("https://a.example/simple", PLACE, {"NETRC": str(file)}).reveal() == (
        "https://me:s%2Fcret@a.example/simple"
    )
    assert index("https://b.example/simple", PLACE, {"NETRC": str(file)}).credentials is None


@pytest.mark.parametrize("text", ["ftp://a.example", "a.example/simple", "https://a b", "https://"])
def test_what_is_no_url_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="must be the URL of a package index"):
        load(tmp_path, [Override("build.index_url", text, "MLDEPLOY_BUILD_INDEX_URL")])


@pytest.mark.parametrize("name", ["libgomp1", "g++", "libgomp1=12.2.0-14", "libpq5=1:15.6~rc1"])
def test_debian_packages(tmp_path: Path, name: str) -> None:
    (tmp_path / "mldeploy.toml").write_text(f'[build]\nsystem_packages = ["{name}"]\n')
    assert load(tmp_path).build.system_packages == (name,)


@pytest.mark.parametrize("name", ["-y", "lib gomp", "LibGomp1", "a; rm -rf /", "", "$(id)", "libgomp1=", "x"])
def test_what_is_no_debian_package_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "mldeploy.toml").write_text(f"[build]\nsystem_packages = ['{name}']\n")
    with pytest.raises(ConfigError, match="must be the name of a Debian package"):
        load(tmp_path)
