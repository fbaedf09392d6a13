"""A port that somebody chose is kept until the configuration names another one than at that time."""

from __future__ import annotations

from pathlib import Path

import pytest

from mldeploy.config.chosen_port import FILE, apply_chosen_port, forget_port, remember_port
from mldeploy.config.load import load
from mldeploy.config.override import Override
from mldeploy.config.settings import Project
from mldeploy.providers.local.settings import LocalSettings


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path


def settings_with(**keys: int) -> LocalSettings:
    return LocalSettings.model_validate(keys)


def project(folder: Path, port: int = 5000) -> Project:
    (folder / "mldeploy.toml").write_text(f'[app]\nname = "shop"\nport = {port}\n')
    return load(folder)


def choose(app: Project, port: int | None, settings: LocalSettings | None = None) -> None:
    """A deployment that has succeeded."""
    given = () if port is None else (Override("target.local.port", port, "--port"),)
    remember_port(app, "local", settings or settings_with(), given)


def port_of(app: Project, settings: LocalSettings | None = None) -> int | None:
    return apply_chosen_port(app, "local", settings or settings_with()).port


@pytest.mark.parametrize("port", [5001, 0])
def test_later_commands_keep_it(tmp_path: Path, port: int) -> None:
    app = project(tmp_path)
    choose(app, port)
    assert port_of(app) == port
    choose(app, None)
    assert port_of(app) == port


def test_a_port_of_the_command_line_is_stronger(tmp_path: Path) -> None:
    app = project(tmp_path)
    choose(app, 5001)
    given = settings_with(port=6000)
    assert apply_chosen_port(app, "local", given, (Override("target.local.port", 6000, "--port"),)).port == 6000


def test_a_configuration_that_names_another_port_is_stronger(tmp_path: Path) -> None:
    choose(project(tmp_path), 5001)
    assert port_of(project(tmp_path, 8000)) is None
    assert port_of(project(tmp_path), settings_with(port=7000)) == 7000
    choose(project(tmp_path), None, settings_with(port=7000))
    assert port_of(project(tmp_path)) is None, "it is forgotten"


def test_the_configured_port_is_no_choice(tmp_path: Path, state: Path) -> None:
    app = project(tmp_path)
    choose(app, 5001)
    choose(app, 5000)
    assert port_of(app) is None
    assert list(state.rglob(FILE)) == []


def test_nothing_stays_of_a_deployment_that_is_removed(tmp_path: Path, state: Path) -> None:
    app = project(tmp_path)
    choose(app, 5001)
    (file,) = state.rglob(FILE)
    forget_port("shop", "local")
    assert not file.parent.exists()
    file.parent.mkdir()
    file.write_text('{"local": [true')
    assert port_of(app) is None, "a torn file is none"
