"""An app's guessed name belongs to the folder that it was deployed from."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.command import Command

pytestmark = pytest.mark.engine


def _app(folder: Path, name: str = "") -> Path:
    """An app whose image is empty, so that it is built in no time."""
    folder.mkdir(parents=True)
    (folder / "Dockerfile").write_text('FROM scratch\nCOPY x /x\nCMD ["/x"]\n')
    (folder / "x").write_text("x")
    if name:
        (folder / "mldeploy.toml").write_text(f'[app]\nname = "{name}"\n')
    return folder


@pytest.fixture
def first(tmp_path: Path, name: str) -> Command:
    """The first of two folders of one name."""
    return Command(tmp_path / "home", _app(tmp_path / "one" / name))


def _build(command: Command) -> int:
    return command("build", "--no-check").code


def test_a_guessed_name_that_meets_another_folders_app_is_refused_with_the_way_out(
    first: Command, tmp_path: Path, name: str
) -> None:
    second = replace(first, folder=_app(tmp_path / "two" / name))
    try:
        assert _build(first) == 0
        for words in (("build", "--no-check"), ("destroy", "--yes")):
            refused = second(*words)
            assert refused.code != 0
            assert str(first.folder) in refused.err
            assert 'name = "' in refused.err
        assert _build(first) == 0
        (second.folder / "mldeploy.toml").write_text(f'[app]\nname = "{name}"\n')
        assert _build(second) == 0
    finally:
        second("destroy", "--yes")
    assert not [each for each in first.state.rglob("*") if each.name == "origin.json"]


@pytest.mark.exhaustive
def test_a_folder_that_was_renamed_keeps_its_app_and_so_does_a_second_clone(
    first: Command, tmp_path: Path, name: str
) -> None:
    moved = replace(first, folder=tmp_path / "moved" / name)
    try:
        assert _build(first) == 0
        moved.folder.parent.mkdir()
        first.folder.rename(moved.folder)
        assert _build(moved) == 0
        clone = replace(first, folder=_app(tmp_path / "clone" / name))
        for each in (moved, clone):
            subprocess.run(["git", "init", "-q"], cwd=each.folder, check=True)
            subprocess.run(["git", "remote", "add", "origin", "https://example.com/a.git"], cwd=each.folder, check=True)
        assert _build(moved) == 0
        assert _build(clone) == 0
    finally:
        moved("destroy", "--yes")
