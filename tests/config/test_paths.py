"""mldeploy's own files stand where the XDG Base Directory Specification wants them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mldeploy.config.errors import ConfigError
from mldeploy.config.paths import config_file, log_file, state_folder


def test_the_places_follow_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert state_folder() == tmp_path / "state" / "mldeploy"
    assert log_file().parent == state_folder()
    assert config_file() == tmp_path / "config" / "mldeploy" / "config.toml"


def test_the_places_are_in_the_home_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert state_folder().is_relative_to(tmp_path)
    assert config_file().is_relative_to(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a user that the machine does not know")
def test_a_user_without_a_home_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.delenv("HOME")
    os.setresuid(54321, 0, 0)  # the home is the real user's
    try:
        with pytest.raises(
            ConfigError, match="there is no home folder for the files of mldeploy\nSet HOME or XDG_STATE_HOME"
        ):
            state_folder()
    finally:
        os.setresuid(0, 0, 0)


def test_asking_makes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    log_file()
    assert list(tmp_path.iterdir()) == []
