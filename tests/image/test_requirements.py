"""Which files a requirements file needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from mldeploy.image.recipe.requirements import requirement_files
from mldeploy.project.errors import ProjectError
from tests.image.shop import write


def needed(folder: Path, files: dict[str, str], start: str = "requirements.txt") -> set[str]:
    write(folder, files)
    return {file.path for file in requirement_files(folder, start)}


@pytest.mark.parametrize(
    "line",
    [
        "-r other.txt",
        "-rother.txt",
        "--requirement other.txt",
        "--requirement=other.txt",
        "-c other.txt  # pins",
        "--constraint ./other.txt",
        "flask\n-r other.txt",
        "flask==3 \\\n    --hash=sha256:1\n-r other.txt",
    ],
)
def test_files_that_are_included(tmp_path: Path, line: str) -> None:
    assert needed(tmp_path, {"requirements.txt": line, "other.txt": ""}) == {"requirements.txt", "other.txt"}


def test_includes_are_relative_to_the_file_that_names_them(tmp_path: Path) -> None:
    files = {
        "deploy/all.txt": "-r sub/web.txt\n-r ../top.txt",
        "deploy/sub/web.txt": "-c pins.txt",
        "deploy/sub/pins.txt": "",
        "top.txt": "-r deploy/all.txt",
    }
    assert needed(tmp_path, files, "deploy/all.txt") == set(files)


def test_a_chain_of_includes_may_be_long(tmp_path: Path) -> None:
    files = {f"r{number}.txt": f"-r r{number + 1}.txt" for number in range(1_500)} | {"r1500.txt": "flask"}
    assert needed(tmp_path, files, "r0.txt") == set(files)


@pytest.mark.parametrize(
    "line",
    [
        "./wheels/own.whl",
        "wheels/own.whl",
        "own @ file:wheels/own.whl",
        "own[extra] @ ./wheels/own.whl",
        "file:./wheels/own.whl",
    ],
)
def test_wheels_that_are_in_the_folder(tmp_path: Path, line: str) -> None:
    assert needed(tmp_path, {"requirements.txt": line, "wheels/own.whl": ""}) == {"requirements.txt", "wheels/own.whl"}


@pytest.mark.parametrize("line", ["./own", "--find-links ./own", "-f own", "./own[extra]"])
def test_folders_with_all_that_is_in_them(tmp_path: Path, line: str) -> None:
    files = {"requirements.txt": line, "own/setup.py": "", "own/src/own.py": ""}
    assert needed(tmp_path, files) == {*files, "own", "own/src"}


@pytest.mark.parametrize(
    "line",
    [
        "flask",
        "flask>=3,<4 ; python_version > '3.8'",
        "https://example.com/own.whl",
        "own @ git+https://example.com/own.git",
        "own @ https://example.com/a/own.whl",
        "--index-url https://example.com/simple",
        "-f https://example.com/links",
        "# -r nothing.txt",
        "--no-binary :all:",
        "",
    ],
)
def test_what_names_no_file(tmp_path: Path, line: str) -> None:
    assert needed(tmp_path, {"requirements.txt": line}) == {"requirements.txt"}


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("-r missing.txt", "missing.txt does not exist"),
        ("-r ../outside.txt", "lies outside of the project's folder"),
        ("./missing.whl", "missing.whl does not exist"),
        ("-e .", "editable"),
        (".", "project itself"),
        (".[serve]", "project itself"),
        ("--editable=./own", "editable"),
    ],
)
def test_what_cannot_be_is_named_with_its_line(tmp_path: Path, line: str, what: str) -> None:
    with pytest.raises(ProjectError, match=what) as caught:
        needed(tmp_path, {"requirements.txt": f"flask\n{line}\n"})
    assert caught.value.where == "requirements.txt:2"


def test_no_requirements_file(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=r"requirements\.txt does not exist") as caught:
        requirement_files(tmp_path, "requirements.txt")
    assert caught.value.where == "build.requirements"
