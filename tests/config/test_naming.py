"""Names that are guessed: valid, and never the same for two folders by accident."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mldeploy.config.kinds import dns_label
from mldeploy.config.naming import distinct_label, guess_name
from mldeploy.core.origin import AppOrigin, record_origin

RECORD = Path(__file__).parents[1] / "compat" / "b16de7f" / "local.json"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("shop", "shop"),
        ("My Model (v2)", "my-model-v2"),
        ("123", "app-123"),
        ("-dash", "dash"),
        ("con fig;rm", "con-fig-rm"),
        ("a" * 40, "a" * 40),
    ],
)
def test_a_name_that_loses_nothing_is_as_it_was(text: str, name: str) -> None:
    assert distinct_label(text) == name == dns_label(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("customer-churn-prediction-service-production-blue", "customer-churn-prediction-service-production-green"),
        ("приложение", "模型服务"),
        ("Über App", "ber App"),
        ("Über App", "Uber App"),
        ("модель-v1", "сервис-v1"),
        ("a" * 41, "a" * 42),
        ("1" * 37, "1" * 38),
        ("模", "app"),
    ],
)
def test_two_folders_that_lose_letters_get_two_names(one: str, other: str) -> None:
    assert distinct_label(one) != distinct_label(other)


def test_letters_with_accents_stay_readable() -> None:
    assert re.fullmatch(r"uber-app-v2-[0-9a-f]{6}", distinct_label("Über_App.v2"))


@given(st.text(max_size=80))
def test_every_guess_is_a_valid_name(text: str) -> None:
    assert re.fullmatch(r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?", distinct_label(text))


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "mldeploy"


def _folder(path: Path, project: str = "") -> Path:
    path.mkdir(parents=True)
    if project:
        (path / "pyproject.toml").write_text(f'[project]\nname = "{project}"\nversion = "1"\n')
    return path


@pytest.mark.usefixtures("state")
def test_the_projects_name_comes_before_the_folders(tmp_path: Path) -> None:
    assert guess_name(_folder(tmp_path / "checkout", "Churn.Model")).name == "churn-model"
    assert guess_name(_folder(tmp_path / "shop")).name == "shop"


def test_what_an_earlier_version_deployed_keeps_the_name_that_it_guessed(tmp_path: Path, state: Path) -> None:
    files = json.loads(RECORD.read_text())["files"]
    journal, text = next((name, text) for name, text in files.items() if name.endswith(".journal"))
    app = journal.partition("/")[0]
    folder = _folder(tmp_path / app.upper(), "another-name")
    assert guess_name(folder).name == "another-name"
    (state / journal).parent.mkdir(parents=True)
    (state / journal).write_text(text)
    assert guess_name(folder).name == app


def test_the_earlier_name_is_not_kept_by_a_folder_that_does_not_own_it(tmp_path: Path, state: Path) -> None:
    blue, green = (
        _folder(tmp_path / f"customer-churn-prediction-service-production-{each}") for each in ("blue", "green")
    )
    earlier = dns_label(blue.name)
    (state / earlier).mkdir(parents=True)
    (state / earlier / "local.journal").write_text("{}\n")
    record_origin(state, earlier, AppOrigin(str(blue)))
    assert guess_name(blue).name == earlier
    assert guess_name(green).name not in {earlier, guess_name(blue).name}
