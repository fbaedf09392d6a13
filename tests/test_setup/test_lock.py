"""The pinned environment: complete, free of this machine, and known to be out of step without any network."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.lock import digest

ROOT = Path(__file__).parents[2]
PROJECT = """\
[project]
requires-python = ">=3.11"
dependencies = ["rich>=14", "docker>=7.1"] # {comment}
"""


@pytest.fixture
def sources(tmp_path: Path) -> tuple[Path, Path]:
    """A project file and its requirements, one of them in a file that the other includes."""
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "dev.in").write_text("# checks\nruff\n\n-r app.txt\n")
    (tmp_path / "app.txt").write_text("flask==3.1.3 # the web\n")
    return tmp_path / "pyproject.toml", tmp_path / "dev.in"


def test_words_about_the_requirements_do_not_put_the_pins_out_of_step(sources: tuple[Path, Path]) -> None:
    before = digest(*sources)
    project, dev = sources
    project.write_text(project.read_text().replace("{comment}", "what it runs on").replace('"rich>=14", ', ""))
    project.write_text(project.read_text().replace('"docker>=7.1"', '"docker>=7.1", "rich>=14"'))
    dev.write_text("-r app.txt\nruff # style\n")
    assert digest(*sources) == before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("pyproject.toml", "docker>=7.1", "docker>=7.2"),
        ("pyproject.toml", ">=3.11", ">=3.12"),
        ("dev.in", "ruff", "ruff<1"),
        ("dev.in", "-r app.txt", "-c app.txt"),
        ("app.txt", "3.1.3", "3.1.4"),
    ],
)
def test_every_change_of_a_requirement_puts_the_pins_out_of_step(
    sources: tuple[Path, Path], name: str, old: str, new: str
) -> None:
    before = digest(*sources)
    changed = sources[0].parent / name
    changed.write_text(changed.read_text().replace(old, new))
    assert digest(*sources) != before


def check(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scripts.lock", "--check"]
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder)


def test_a_forgotten_make_lock_is_noticed_without_any_network(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "requirements", "scripts", "example_app"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    assert check(tmp_path).returncode == 0
    with (tmp_path / "requirements/dev.in").open("a") as requirements:
        requirements.write("leftpad\n")
    forgotten = check(tmp_path)
    assert forgotten.returncode == 1
    assert "make lock" in forgotten.stderr
    assert forgotten.stderr.count("\n") == 1


def test_every_pin_has_hashes_and_no_pin_names_where_it_came_from() -> None:
    text = (ROOT / "requirements/dev.txt").read_text()
    pins = re.findall(r"^[a-z][^\n]*==(?:\\\n|[^\n])*", text, re.MULTILINE)
    assert len(pins) > 50
    assert all("--hash=sha256:" in pin for pin in pins)
    assert not re.search(r"https?:|file:|--index|--extra-index|--find-links", text)


def test_the_example_is_tested_with_the_versions_that_its_image_gets() -> None:
    image = re.findall(r"^\S+==\S+", (ROOT / "example_app/requirements.txt").read_text(), re.MULTILINE)
    ours = (ROOT / "requirements/dev.txt").read_text()
    assert image
    assert [pin for pin in image if f"\n{pin} " not in ours] == []
