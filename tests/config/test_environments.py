"""Environments: what `[env.NAME]` overlays, where an error is, and that no two apps share a name."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from mldeploy.config.environments import environment_key, environment_override, split_environment_key
from mldeploy.config.errors import ConfigError
from mldeploy.config.kinds import NAME_LENGTH
from mldeploy.config.load import list_environments, load, named, target_settings
from mldeploy.config.override import Override
from mldeploy.config.settings import Project
from mldeploy.providers.local.settings import LocalSettings

FILE = """
[app]
name = "insurance"
models = ["a.joblib", "b.joblib"]

[app.env]
LEVEL = "info"
COUNTRY = "de"

[target.local]
port = 8000

[env.staging]

[env.production]
protected = true

[env.production.app]
memory = "2g"
models = ["c.joblib"]

[env.production.app.env]
LEVEL = "error"

[env.production.target.local]
port = 9000
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mldeploy.toml").write_text(FILE)
    return tmp_path


def in_environment(folder: Path, name: str | None, *overrides: Override) -> Project:
    return load(folder, (*overrides, *environment_override(name)))


def port_in(folder: Path, name: str | None) -> int | None:
    return target_settings(folder, "local", LocalSettings, environment_override(name)).port


def problem_in(folder: Path, text: str, name: str | None = None) -> str:
    (folder / "mldeploy.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        in_environment(folder, name)
    return str(caught.value)


def test_tables_are_merged_key_by_key_and_lists_are_replaced(folder: Path) -> None:
    app = in_environment(folder, "production").app
    assert app.memory == 2 << 30
    assert {name: value.reveal() for name, value in app.env} == {"LEVEL": "error", "COUNTRY": "de"}
    assert app.models == ("c.joblib",)
    assert port_in(folder, "production") == 9000


def test_an_empty_table_changes_nothing_but_the_name(folder: Path) -> None:
    plain, staging = in_environment(folder, None), in_environment(folder, "staging")
    assert plain.app.name == "insurance"
    assert staging.app.name == environment_key("insurance", "staging")
    assert (staging.build, staging.check, staging.app.env) == (plain.build, plain.check, plain.app.env)
    assert port_in(folder, "staging") == port_in(folder, None) == 8000


def test_a_variable_chooses_and_the_flag_is_stronger(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLDEPLOY_ENV", "staging")
    assert in_environment(folder, None).app.environment_name == "staging"
    assert in_environment(folder, "production").app.environment_name == "production"
    assert port_in(folder, None) == 8000
    monkeypatch.setenv("MLDEPLOY_ENV", "")
    assert in_environment(folder, None).app.environment is None


def test_variables_and_flags_are_above_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLDEPLOY_APP_MEMORY", "3g")
    monkeypatch.setenv("MLDEPLOY_TARGET_LOCAL_PORT", "9100")
    assert in_environment(folder, "production").app.memory == 3 << 30
    assert in_environment(folder, "production", Override("app.memory", "4g", "--memory")).app.memory == 4 << 30
    assert port_in(folder, "production") == 9100


def test_an_unknown_environment_is_refused_with_those_that_exist(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r'--env: there is no environment "prodction"; did you mean "production"\?'):
        in_environment(folder, "prodction")
    monkeypatch.setenv("MLDEPLOY_ENV", "other")
    with pytest.raises(ConfigError, match=r"(?s)MLDEPLOY_ENV: there is no .*Environments: production and staging"):
        in_environment(folder, None)
    assert list_environments(folder) == ("staging", "production")


def test_a_folder_without_environments_says_how_to_add_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Add the table \[env\.staging\] to mldeploy\.toml"):
        in_environment(tmp_path, "staging")


@pytest.mark.parametrize("chosen", [None, "production"])
@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("[env.production.app]\nmemory = 2", "env.production.app.memory: must be a size"),
        ("[env.production.app]\nmemroy = '2g'", "env.production.app.memroy: unknown key"),
        ("[env.production.app]\nmodels = [1]", "env.production.app.models: must be"),
        ("[env.production]\napp = 3", "env.production.app: must be a table"),
        ("[env.production]\nmemory = '2g'", "env.production.memory: unknown key; it belongs to [app]"),
        ("[env.production]\nprotected = 1", "env.production.protected: must be true or false"),
        ("[env]\nproduction = 1", "env.production: must be a table"),
        ("[env.Production]\n[env.production]", "env.Production: must be the name of an environment"),
        ("[env.production.app.env]\nA = 1", "env.production.app.env.A: must be"),
    ],
)
def test_an_error_names_the_place_in_the_file(tmp_path: Path, text: str, where: str, chosen: str | None) -> None:
    assert f"mldeploy.toml: {where}" in problem_in(tmp_path, text, chosen)


def test_the_place_is_right_in_pyproject_too(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.mldeploy.env.production.app]\nmemory = 2")
    with pytest.raises(ConfigError, match=r"pyproject\.toml: tool\.mldeploy\.env\.production\.app\.memory: must"):
        in_environment(tmp_path, "production")


def test_the_place_of_a_targets_key_is_named(folder: Path) -> None:
    (folder / "mldeploy.toml").write_text("[env.production.target.local]\nprot = 3")
    with pytest.raises(ConfigError, match=r"env\.production\.target\.local\.prot: unknown key"):
        port_in(folder, "production")


NAMES = ("a", "a-b", "a-b-c", "b", "b-c", "c", "insurance", "x" * NAME_LENGTH, "x" * (NAME_LENGTH - 1))


def test_no_two_apps_and_environments_share_a_name() -> None:
    environments = ("b", "c", "b-c", "staging", "e" * 20)
    keys = [environment_key(*pair) for pair in itertools.product(NAMES, environments)]
    assert len({*keys, *NAMES}) == len(keys) + len(NAMES)
    for (app, environment), key in zip(itertools.product(NAMES, environments), keys, strict=True):
        assert named(key, "--app").app.name == key, "it is a valid name"
        assert split_environment_key(key) in ((app, environment), None)


def test_an_app_cannot_be_configured_under_the_name_of_anothers_environment(tmp_path: Path) -> None:
    key = environment_key("a", "b")
    assert "is the name of the app a in the environment b" in problem_in(tmp_path, f'[app]\nname = "{key}"')


def test_an_app_is_named_with_its_environment_or_with_its_whole_name(monkeypatch: pytest.MonkeyPatch) -> None:
    key = environment_key("insurance", "staging")
    assert named("insurance", "--app", environment_override("staging")).app.name == key
    assert named(key, "--app").app.name == key
    monkeypatch.setenv("MLDEPLOY_ENV", "staging")
    assert named(key, "--app").app.name == key
    assert target_settings(Path("/"), "local", LocalSettings).port is None


PREVIEWS = '[app]\nname = "insurance"\nmodels = []\n[env.preview.app]\nmemory = "2g"\n'


def test_every_pull_request_has_an_environment_with_the_settings_of_the_previews(folder: Path) -> None:
    (folder / "mldeploy.toml").write_text(f"{PREVIEWS}[env.preview-9.app]\nmemory = '3g'\n")
    apps = [in_environment(folder, f"preview-{number}").app for number in (1, 12, 9)]
    assert [each.name for each in apps] == [environment_key("insurance", f"preview-{each}") for each in (1, 12, 9)]
    assert [each.memory >> 30 for each in apps] == [2, 2, 3]
    assert split_environment_key(apps[1].name) == ("insurance", "preview-12")


def test_a_preview_needs_the_table_of_the_previews_and_a_number(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"(?s)no environment \"preview-1\".*Environments: production and staging"):
        in_environment(folder, "preview-1")
    assert "Add the table [env.preview]" in problem_in(folder, '[app]\nname = "insurance"\n', "preview-1")
    assert 'no environment "preview-x"' in problem_in(folder, PREVIEWS, "preview-x")
    wrong = PREVIEWS.replace('"2g"', '"much"')
    assert "env.preview.app.memory" in problem_in(folder, wrong, "preview-3")
