"""Files that nothing could be made of are told before a build stops at them, or goes on without them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mldeploy.project.detect.folder import detect_folder

GOLDEN = '{"path": "/predict", "request": {}, "expect": {}}'


def remarks(folder: Path, **files: str) -> list[str]:
    (folder / "app.py").write_text("from flask import Flask\n\napp = Flask(__name__)\n")
    (folder / "requirements.txt").write_text("flask==3.1.3\n")
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    return [f"{each.severity.value} {each.source}: {each.what}" for each in detect_folder(folder).remarks]


def test_files_that_can_be_read_are_not_spoken_of(tmp_path: Path) -> None:
    assert not remarks(tmp_path, pyproject_toml="[project]\nname = 'x'\n", golden_json=GOLDEN)


def test_a_list_that_is_no_toml_is_named_with_its_line(tmp_path: Path) -> None:
    (remark,) = remarks(tmp_path, pyproject_toml="[tool]\n[project\n")
    assert remark.startswith("warning pyproject.toml:2: is no valid TOML, so nothing in it counts: ")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('{"path": "/predict", "request": {}}', '"expect" is missing'),
        (GOLDEN.replace("/predict", "predict"), 'path must be the path of a URL, such as "/predict_api"'),
        ("{", "is not valid JSON: "),
    ],
)
def test_a_golden_row_that_no_build_would_take_is_an_error(tmp_path: Path, text: str, what: str) -> None:
    (remark,) = remarks(tmp_path, golden_json=text)
    assert remark.startswith(f"error golden.json: {what}")
