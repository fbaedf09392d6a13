"""What `mldeploy init` writes, and how: complete and correct, or nothing."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mldeploy.config.model import ConfigFile
from mldeploy.core.errors import RefusedError
from mldeploy.project import scaffold
from mldeploy.project.detect.distributions import InstalledDistributions
from mldeploy.project.detect.folder import DetectedFolder, DetectionOptions, detect_folder
from mldeploy.project.detect.tables import build_tables
from mldeploy.project.errors import ProjectError
from mldeploy.project.ignore import Ignore
from mldeploy.project.proposal import render_dockerignore, render_requirements
from tests.detect.folders import TODAY, Case, cases, write

CASES = cases()
NAMES = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1, max_size=8)
APP = b"from flask import Flask\n\napp = Flask(__name__)\n\n\n@app.get('/')\ndef home():\n    return 'ok'\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "app" / "app.py", APP)
    write(tmp_path / "app" / "requirements.txt", b"flask==3.1.3\n")
    return tmp_path / "app"


def found(folder: Path) -> DetectedFolder:
    return detect_folder(folder, DetectionOptions(environment=InstalledDistributions(()), today=TODAY))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_written_configuration_says_what_was_found(case: Case, tmp_path: Path) -> None:
    seen = case.detect(tmp_path)
    written = tomllib.loads(scaffold.render_toml(seen))
    ConfigFile.model_validate(written, strict=True)
    assert written == build_tables(seen)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_second_look_finds_the_secrets_out_of_the_image_and_the_app_in_it(case: Case, tmp_path: Path) -> None:
    seen = case.detect(tmp_path)
    ignore = Ignore.parse(render_dockerignore(seen))
    again = detect_folder(
        seen.root,
        DetectionOptions(ships=lambda path: ships(ignore, path), today=TODAY, environment=InstalledDistributions(())),
    )
    shipped = {each.source.path for each in again.remarks if each.code == "secret-file" and each.severity != "note"}
    assert not shipped
    assert not [each for each in again.remarks if each.code in {"model-ignored", "bulk-notebooks"}]
    assert all(ships(ignore, each.value.path) for each in again.entries)


def ships(ignore: Ignore, path: str) -> bool:
    """Whether Docker would send a file, parents first."""
    parts = path.split("/")
    matches: tuple[bool, ...] = ()
    excluded = False
    for depth in range(1, len(parts) + 1):
        excluded, matches = ignore.judge("/".join(parts[:depth]), matches)
    return not excluded


def test_the_three_files_are_written(folder: Path) -> None:
    (folder / "requirements.txt").unlink()
    written = scaffold.write_files(folder, scaffold.scaffold_files(found(folder)))
    assert written.written == ("mldeploy.toml", ".dockerignore", "requirements.txt")
    assert (folder / "requirements.txt").read_text().splitlines()[1:] == ["flask"]
    assert tomllib.loads((folder / "mldeploy.toml").read_text())["app"]["entry"] == "app:app"
    assert sorted(contents(folder)) == [".dockerignore", "app.py", "mldeploy.toml", "requirements.txt"]


def test_a_lock_becomes_a_requirements_file(folder: Path) -> None:
    (folder / "requirements.txt").unlink()
    write(folder / "Pipfile.lock", b'{"default": {"flask": {"version": "==3.0.3"}}}')
    text = render_requirements(found(folder))
    assert text is not None
    assert "flask==3.0.3\n" in text


def test_what_is_there_is_never_overwritten(folder: Path) -> None:
    new = scaffold.scaffold_files(found(folder))
    (folder / "mldeploy.toml").write_text("mine")
    before = contents(folder)
    with pytest.raises(RefusedError, match="exists; nothing was written"):
        scaffold.write_files(folder, new)
    assert contents(folder) == before


def test_a_dockerignore_that_is_there_is_kept(folder: Path) -> None:
    (folder / ".dockerignore").write_text("mine")
    written = scaffold.write_files(folder, scaffold.scaffold_files(found(folder)))
    assert written.kept == (".dockerignore",)
    assert (folder / ".dockerignore").read_text() == "mine"


def test_force_writes_all_of_them_anew(folder: Path) -> None:
    for name in ("mldeploy.toml", ".dockerignore", "Dockerfile"):
        (folder / name).write_text("old")
    new = scaffold.scaffold_files(found(folder), "FROM python\n")
    written = scaffold.write_files(folder, new, force=True)
    assert written.written == ("mldeploy.toml", ".dockerignore", "Dockerfile")
    assert "old" not in {path.read_text() for path in folder.iterdir()}


@pytest.mark.parametrize("force", [False, True])
def test_a_failure_half_way_leaves_everything_as_it_was(folder: Path, force: bool) -> None:
    if force:
        (folder / "mldeploy.toml").write_text("old")
    before = contents(folder)
    new = [*scaffold.scaffold_files(found(folder)), scaffold.NewFile("no/such/folder", "x")]
    with pytest.raises(ProjectError, match="nothing was changed"):
        scaffold.write_files(folder, new, force=force)
    assert contents(folder) == before


def test_a_folder_in_the_place_of_a_file_is_not_touched(folder: Path) -> None:
    (folder / ".dockerignore").mkdir()
    with pytest.raises(RefusedError, match="exists"):
        scaffold.write_files(folder, scaffold.scaffold_files(found(folder)), force=True)
    assert sorted(path.name for path in folder.iterdir()) == [".dockerignore", "app.py", "requirements.txt"]


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1, max_size=8), max_size=4)
)
def test_any_name_of_a_model_survives_the_way_through_the_file(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("named")
    write(folder / "app.py", APP)
    for name in names:
        write(folder / f"{name.replace('/', '_')}.onnx", b"\x08\x09" + bytes(1100))
    seen = found(folder)
    written = tomllib.loads(scaffold.render_toml(seen))
    assert written == build_tables(seen)
    ConfigFile.model_validate(written, strict=True)
