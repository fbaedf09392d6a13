"""A folder without configuration is what it will be once `init` has written one: the whole corpus."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mldeploy.config.override import Override
from mldeploy.image.assembly import assemble
from mldeploy.image.types import BaseDigest
from mldeploy.project import scaffold
from mldeploy.project.errors import ProjectError
from mldeploy.project.inspect import inspect
from mldeploy.project.survey import indecision, refusal, survey
from tests.detect.folders import Case, cases, write

CASES = {case.name: case for case in cases()}
REFUSED = [name for name, case in CASES.items() if "refused" in case.content]
STUCK = [name for name, case in CASES.items() if "stuck" in case.content]
BASE = BaseDigest((("python", "sha256:1"),))
UNREADABLE = {"requirements_frozen_by_conda", "model_formats", "project_that_installs_itself"}
"""Folders of which no image can be assembled: what is wrong with them is an error already."""


def made(name: str, root: Path) -> Path:
    case: Case = CASES[name]
    return case.make(root)


@pytest.mark.parametrize("name", REFUSED)
def test_what_init_refuses_a_build_refuses_in_the_same_words(name: str, tmp_path: Path) -> None:
    folder = made(name, tmp_path)
    found = survey(folder).folder
    error = refusal(found) or indecision(found)
    assert error is not None
    assert error.todo
    assert CASES[name].content["refused"] in {remark.code for remark in found.remarks}
    with pytest.raises(ProjectError) as caught:
        inspect(folder)
    assert str(caught.value).startswith(str(error))


@pytest.mark.parametrize("name", STUCK)
def test_of_a_folder_that_will_not_run_init_and_build_say_why(name: str, tmp_path: Path) -> None:
    folder = made(name, tmp_path)
    for remarks in (survey(folder).folder.remarks, inspect(folder).remarks):
        worst = [each for each in remarks if each.severity == "error"]
        assert CASES[name].content["stuck"] in {each.code for each in worst}
        assert all(each.what and each.todo for each in worst)


@pytest.mark.parametrize("name", [name for name in CASES if name not in REFUSED])
def test_init_writes_down_what_held_before(name: str, tmp_path: Path) -> None:
    folder = made(name, tmp_path)
    before = inspect(folder)
    found = survey(folder).folder
    written = scaffold.write(folder, scaffold.files(found)).written
    after = inspect(folder)
    assert (before.configured, after.configured) == (False, True)
    assert not after.assumed or {each.key for each in after.assumed} <= {"app.models", "build.dockerfile"}
    assert (after.project.app, after.project.check) == (before.project.app, before.project.check)
    assert after.project.build == replace(before.project.build, requirements_text=None, ignored=())
    text = before.project.build.requirements_text
    assert ("requirements.txt" in written) == (text is not None)
    if text is not None:
        assert (folder / "requirements.txt").read_text() == text
    elif name not in UNREADABLE and not before.project.build.dockerfile:
        assert assemble(before.project).digest(BASE) == assemble(after.project).digest(BASE)


def test_a_lock_is_installed_from_where_a_configuration_says_nothing_of_requirements(tmp_path: Path) -> None:
    folder = made("uv_lock", tmp_path)
    write(folder / "mldeploy.toml", b"[app]\nentry = 'app:app'\n")
    found = inspect(folder)
    assert "flask==3.0.3\n" in (found.project.build.requirements_text or "")
    assert [str(each) for each in found.assumed if each.key == "build.requirements"] == [
        "build.requirements: 2 dependencies (uv.lock)"
    ]
    assert not (folder / "requirements.txt").exists()


def test_an_entry_that_is_named_decides_whose_routes_are_meant(tmp_path: Path) -> None:
    folder = made("two_apps", tmp_path)
    with pytest.raises(ProjectError, match="several apps"):
        inspect(folder)
    named = inspect(folder, [Override("app.entry", "admin:admin", "--entry")])
    assert named.project.app.entry == "admin:admin"


def test_what_training_left_behind_is_no_model_of_the_app_if_it_stays_out(tmp_path: Path) -> None:
    folder = made("journey_b_flask_for_fargate", tmp_path)
    write(folder / "mlruns" / "1" / "model.joblib", (folder / "model.joblib").read_bytes())
    write(folder / "mlruns" / "1" / "other.joblib", (folder / "model.joblib").read_bytes())
    found = inspect(folder)
    assert "mlruns/1/other.joblib" not in found.project.app.models
    assert "model.joblib" in found.project.app.models
