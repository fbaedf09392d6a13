"""`.dockerignore` keeps out of a context what the Docker command keeps out."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from mldeploy.image.files import list_files
from mldeploy.project.errors import ProjectError
from mldeploy.project.ignore import Ignore
from tests.image.oracle import DOCKER, Listener, listener

NAMES = ("a", "b", "ab", "x.py", "B", ".h", "a b", "é")
PARTS = st.sampled_from((*NAMES, "*", "**", "?", "..", ".", "", "*.py", "a*", "**b", "b**", "[ab]", "[^a]", "\\a", "#"))
LINES = st.builds(
    lambda sign, parts, end: sign + "/".join(parts) + end,
    st.sampled_from(("", "", "!", "! ", " ")),
    st.lists(PARTS, min_size=1, max_size=4),
    st.sampled_from(("", " ", "/")),
)
OURS_ANYWAY = {
    "Dockerfile",
    ".dockerignore",
}  # the command sends both, and the engine drops them where they are excluded


@pytest.fixture(scope="module")
def docker() -> Iterator[Listener]:
    if DOCKER is None:
        pytest.skip("needs the docker command")
    with listener() as listening:
        yield listening


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every name twice over, three levels deep."""
    root = tmp_path_factory.mktemp("tree")
    for first in NAMES[:5]:
        for second in NAMES:
            (root / first / second).mkdir(parents=True)
            for third in NAMES[:4]:
                (root / first / second / third).touch()
    (root / "a" / "empty").mkdir()
    (root / "link").symlink_to("a")
    (root / "Dockerfile").write_text("FROM scratch\n")
    return root


def is_old() -> bool:
    """Before 23.0 a `!` line also took back what lies below the path that it names, excluded or not."""
    version = subprocess.run([str(DOCKER), "--version"], check=True, capture_output=True, text=True).stdout
    result = re.search(r"version (\d+)", version)
    return result is None or int(result[1]) < 23


def kept(tree: Path, text: str) -> set[str] | None:
    """What we let through, None where we refuse the file."""
    try:
        return {file.path for file in list_files(tree, Ignore.parse(text))}
    except ProjectError:
        return None


@pytest.mark.exhaustive
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(LINES, min_size=1, max_size=5))
def test_the_docker_command_agrees(lines: list[str], tree: Path, docker: Listener) -> None:
    text = "\n".join(lines)
    assume("!" not in text or not is_old())
    (tree / ".dockerignore").write_text(text)
    theirs, ours = docker.sent(tree), kept(tree, text)
    assert (theirs is None) == (ours is None)
    if theirs is not None and ours is not None:
        assert ours - OURS_ANYWAY == theirs - OURS_ANYWAY


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("*.py", {"x.py"}),
        ("# *.py", set()),
        ("**/x.py", {"x.py", "a/x.py"}),
        ("a", {"a", "a/x.py", "a/b", "a/b/y"}),
        ("a\n!a/b", {"a", "a/x.py"}),
        ("a/**", {"a/x.py", "a/b", "a/b/y"}),
        ("  /a/b/  ", {"a/b", "a/b/y"}),
        ("A", set()),
        (".", set()),
        ("a/../x.py", {"x.py"}),
        ("\ufeffx.py\r", {"x.py"}),
        ("*\n!**/y", {"x.py", "a", "a/x.py", "a/b", "a/b/y"}),
    ],
)
def test_what_the_reference_promises(tmp_path: Path, text: str, gone: set[str]) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    for name in ("x.py", "a/x.py", "a/b/y"):
        (tmp_path / name).touch()
    everything = {"x.py", "a", "a/x.py", "a/b", "a/b/y"}
    assert kept(tmp_path, text) == everything - gone


@pytest.mark.parametrize("line", ["[", "[a", "a\\", "!", "[]", "[a-]", "a/[^"])
def test_a_line_that_docker_refuses_is_named(line: str) -> None:
    with pytest.raises(ProjectError) as caught:
        Ignore.parse(f"fine\n\n{line}", "shop/.dockerignore")
    assert caught.value.where == "shop/.dockerignore:3"
    assert line in caught.value.what
