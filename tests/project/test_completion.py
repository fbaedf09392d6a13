"""A folder without configuration is what it will be once `init` has written one: the whole corpus."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mldeploy.config.override import Override
from mldeploy.image.build_inputs import collect_build_inputs
from mldeploy.image.types import BaseDigest
from mldeploy.project import scaffold
from mldeploy.project.errors import ProjectError
from mldeploy.project.load import load_project
from mldeploy.project.proposal import find_ambiguity, find_refusal, read_folder
from tests.detect.folders import Case, cases, write

CASES = {case.name: case for case in cases()}
REFUSED = [name for name, case in CASES.items() if "refused" in case.content]
STUCK = [name for name, case in CASES.items() if "stuck" in case.content]
WARNED = [name for name, case in CASES.items() if "warned" in case.content]
BASE = BaseDigest((("python", "sha256:1"),))
UNREADABLE = {"requirements_frozen_by_conda", "model_formats", "project_that_installs_itself"}
"""Folders of which no image can be assembled: what is wrong with them is an error already."""


def made(name: str, root: Path) -> Path:
    case: Case = CASES[name]
    return case.make(root)


@pytest.mark.parametrize("name", REFUSED)
def test_what_init_refuses_a_build_refuses_in_the_same_words(name: str, tmp_path: Path) -> None:
    folder = made(name, tmp_path)
    detected = read_folder(folder)
    error = find_refusal(detected) or find_ambiguity(detected)
    assert error is not None
    assert error.todo
    assert CASES[name].content["refused"] in {remark.code for remark in detected.remarks}
    with pytest.raises(ProjectError) as caught:
        load_project(folder)
    assert str(caught.value).startswith(str(error))


@pytest.mark.parametrize("name", STUCK)
def test_of_a_folder_that_will_not_run_init_and_build_say_why(name: str, tmp_path: Path) -> None:
    folder = made(name, tmp_path)
    for remarks in (read_folder(folder).remarks, load_project(folder).remarks):
        worst = [each for each in remarks if each.severity == "error"]
        assert CASES[name].content["stuck"] in {each.code for each in worst}
        assert all(each.what and each.todo for each in worst)


@pytest.mark.parametrize("name", WARNED)
def test_of_a_folder_that_is_not_usable_as_it_is_init_and_build_warn(name: str, tmp_path: Path) -> None:
    folder = made(name, tmp_path)
    for remarks in (read_folder(folder).remarks, load_project(folder).remarks):
        said = [each for each in remarks if each.code == CASES[name].content["warned"]]
        assert said
        assert all(each.what and each.todo for each in said)


@pytest.mark.parametrize("name", [name for name in CASES if name not in REFUSED])
def test_init_writes_down_what_held_before(name: str, tmp_path: Path) -> None:
    folder = made(name, tmp_path)
    before = load_project(folder)
    detected = read_folder(folder)
    written = scaffold.write_files(folder, scaffold.scaffold_files(detected)).written
    after = load_project(folder)
    assert (before.configured, after.configured) == (False, True)
    assert not after.assumed or {each.key for each in after.assumed} <= {"app.models", "build.dockerfile"}
    assert (after.project.app, after.project.check) == (before.project.app, before.project.check)
    text = before.project.build.requirements_text
    is_copied = text is not None and before.project.build.requirements == "requirements.txt"
    remaining = None if is_copied else text
    assert after.project.build == replace(before.project.build, requirements_text=remaining, ignored=())
    assert ("requirements.txt" in written) == is_copied
    if is_copied:
        assert (folder / "requirements.txt").read_text() == text
    elif name not in UNREADABLE and not before.project.build.dockerfile:
        assert collect_build_inputs(before.project).digest(BASE) == collect_build_inputs(after.project).digest(BASE)


def test_a_lock_is_installed_from_where_a_configuration_says_nothing_of_requirements(tmp_path: Path) -> None:
    folder = made("uv_lock", tmp_path)
    write(folder / "mldeploy.toml", b"[app]\nentry = 'app:app'\n")
    detected = load_project(folder)
    assert "flask==3.0.3\n" in (detected.project.build.requirements_text or "")
    assert [str(each) for each in detected.assumed if each.key == "build.requirements"] == [
        "build.requirements: 2 dependencies (uv.lock)"
    ]
    assert not (folder / "requirements.txt").exists()


def test_an_entry_that_is_named_decides_whose_routes_are_meant(tmp_path: Path) -> None:
    folder = made("two_apps", tmp_path)
    with pytest.raises(ProjectError, match="several apps"):
        load_project(folder)
    named = load_project(folder, [Override("app.entry", "admin:admin", "--entry")])
    assert named.project.app.entry == "admin:admin"


def test_what_training_left_behind_is_no_model_of_the_app_if_it_stays_out(tmp_path: Path) -> None:
    folder = made("journey_b_flask_for_fargate", tmp_path)
    write(folder / "mlruns" / "1" / "model.joblib", (folder / "model.joblib").read_bytes())
    write(folder / "mlruns" / "1" / "other.joblib", (folder / "model.joblib").read_bytes())
    detected = load_project(folder)
    assert "mlruns/1/other.joblib" not in detected.project.app.models
    assert "model.joblib" in detected.project.app.models


@pytest.mark.parametrize(
    ("bind", "code"),
    [
        ('"unix:/run/app.sock"', "unix-socket"),
        ('["127.0.0.1:8080", "[::1]:8080"]', "loopback"),
        ('"0.0.0.0:9000"', "port-differs"),
        ('"0.0.0.0:8080"', ""),
        ('["unix:/run/app.sock", "0.0.0.0:8080"]', ""),
        ("f\"0.0.0.0:{__import__('os').environ['PORT']}\"", ""),
    ],
)
def test_where_gunicorns_own_file_listens_is_checked_before_a_build(bind: str, code: str, tmp_path: Path) -> None:
    write(tmp_path / "mldeploy.toml", b'[app]\nentry = "app:app"\nport = 8080\n')
    write(tmp_path / "app.py", b"from flask import Flask\napp = Flask(__name__)\n")
    write(tmp_path / "requirements.txt", b"flask==3.1.3\n")
    write(tmp_path / "gunicorn.conf.py", f"bind = {bind}\n".encode())
    assert [each.code for each in load_project(tmp_path).remarks] == ([code] if code else [])
