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
from mldeploy.project.detect.dependencies.distributions import InstalledDistributions
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


def guesses(folder: Path) -> dict[str, str]:
    """The keys of the written file whose comments say that they are guesses, with their reasons."""
    text = scaffold.render_toml(found(folder))
    marked = (line.partition("  # guess: ") for line in text.splitlines())
    return {before.partition(" = ")[0]: reason for before, mark, reason in marked if mark}


def test_only_guesses_say_so_with_their_reason(folder: Path) -> None:
    assert guesses(folder) == {
        "name": "the folder's name",
        "port": "no file sets a port; Flask usually has 5000",
        "health": "the source shows no health route, but this page answers (app.py:6)",
    }
    write(folder / "Procfile", b"web: gunicorn -b :7000 app:app\n")
    write(folder / "app.py", APP.replace(b"'/'", b"'/healthz'"))
    write(folder / "pyproject.toml", b"[project]\nname = 'shop'\nversion = '1'\n")
    assert guesses(folder) == {}
    assert '"guess:"' not in scaffold.render_toml(found(folder))


SCORE = b"\n\n@app.post('/score')\ndef score():\n    return request.get_json()\n"


@pytest.mark.parametrize(
    ("routes", "reason"),
    [
        (SCORE, "the only route that takes JSON (app.py:11)"),
        (SCORE + SCORE.replace(b"score", b"rate"), "the first of 2 routes that take JSON (app.py:11)"),
        (SCORE.replace(b"score", b"api/predict"), ""),
    ],
)
def test_a_route_for_predictions_is_a_guess_if_its_name_does_not_say_so(
    folder: Path, routes: bytes, reason: str
) -> None:
    write(folder / "app.py", APP.replace(b"import Flask", b"import Flask, request") + routes)
    assert guesses(folder).get("predict", "") == reason


def test_an_app_among_examples_is_a_guess_until_it_is_chosen(folder: Path) -> None:
    (folder / "examples").mkdir()
    (folder / "app.py").rename(folder / "examples" / "app.py")
    reason = "Flask, the only app is in a folder for examples, scripts or old files (examples/app.py:3)"
    assert guesses(folder)["entry"] == reason
    chosen = detect_folder(folder, DetectionOptions(entry="examples.app:app", today=TODAY))
    assert 'entry = "examples.app:app"  # Flask, examples/app.py:3\n' in scaffold.render_toml(chosen)


def test_a_model_that_only_its_extension_shows_is_a_guess(folder: Path) -> None:
    write(folder / "net.h5", b"nothing that is known")
    assert guesses(folder)["models"] == "only by its extension: net.h5"


def test_the_name_of_a_file_cannot_end_a_comment(folder: Path) -> None:
    (folder / "app.py").rename(folder / "a\nport = 1.py")
    write(folder / "Procfile", b"web: gunicorn app:app\n")
    write(folder / "net\nb.h5", b"x")
    tomllib.loads(scaffold.render_toml(found(folder)))


def test_init_written_again_says_the_same(folder: Path) -> None:
    first = scaffold.scaffold_files(found(folder))
    scaffold.write_files(folder, first)
    assert scaffold.scaffold_files(found(folder))[0] == first[0]
    scaffold.write_files(folder, first, force=True)
    assert (folder / "mldeploy.toml").read_text() == first[0].text


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
