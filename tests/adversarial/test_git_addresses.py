"""Addresses and refs that git, ssh or a shell could read as something else. None of them runs a program."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mldeploy.config.trusted import clones_folder
from mldeploy.project.errors import ProjectError
from mldeploy.project.repository import ProjectUrl, check_out

pytestmark = pytest.mark.usefixtures("home")

REFS = (
    "--upload-pack={evil}", "--upload-pack {evil}", "-u{evil}", "--append", "--prune", "--recurse-submodules",
    "--all",
    "--multiple", "--force", "-f", "-", "--", "--end-of-options", "--output=x", "--exec={evil}", "--tags",
    "--unshallow",
    "--server-option=x", "+main", "+refs/heads/*", "^main", "refs/heads/*", "*", "main~1", "main^", "@{{-1}}",
    "@{{u}}",
    "main..other", "a//b", "/main", "main/", "main.", ".main", "main.lock", "main\\x", "main?", "ma[in", "x" * 5000,
    "main --upload-pack={evil}", "`{evil}` x", "main\n--upload-pack={evil}", "main\x00",
    "main\udcff", "main\x1b[2J",
)  # fmt: skip
URLS = (
    "ext::{evil}", "ext::sh -c {evil}", "ext::sh% -c% {evil}", "fd::17", "-oProxyCommand=evil@host:x",
    "-x@host:y", "-u@h:x",
    "git@-oProxyCommand=evil:x", "git@-host:x", "git@host:-x", "ssh://-oProxyCommand=evil/x", "ssh://-host/x",
    "ssh://git@-oProxyCommand=evil/x", "ssh://%2DoProxyCommand=evil/x", "ssh://-u@host/x", "ssh://%2du@host/x",
    "ssh://host:-1/x", "ssh://host:99999/x", "https://-host/x", "https:///x", "https://", "https://host:x/y",
    "file://-x/y", "file://host/x", "file://../x", "git://host/x", "http://host/x.git", "HTTP://HOST/x",
    "https://h/a\x07b",
    "https://h\\@evil/x", "https://host/" + "x" * 5000, "https://host/\udcff", "https://me:pass@host/x",
    "--upload-pack={evil}@h:x",
)  # fmt: skip
NAMES = (
    "https://host/..", "https://host/.", "https://host/.git", "https://host/..git", "https://host/...git",
    "https://host/.git.git",
    "https://host/../..", "https://host/", "https://host/../", "https://host/lock", "https://host/-x",
    "https://host/.GIT",
    "file:///..", "file:///", "git@host:..", "git@host:.", "git@host:../..",
    "https://host/" + "n" * 1000, "https://host/a;b|c",
    "https://host/" + "ü" * 300, "ssh://host/..", "https://host/x?y=/..",
)  # fmt: skip
FOLDERS = (
    ".git", ".git/hooks", "app/../.git", "..", "../..", "../../..", "app/../..", "/etc", ".GIT",
    ".Git/objects", "git~1", ".git.",
    ".git ", "x" * 5000, "app\\..\\.git", "out", "inner", "loop", "out/..", ".git::$INDEX_ALLOCATION",
)  # fmt: skip
CASES = len(REFS) + len(URLS) + len(NAMES) + len(FOLDERS)


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """A repository whose links lead out of it, into its own .git, and in circles."""
    origin = tmp_path / "shop.git"
    (origin / "app").mkdir(parents=True)
    (origin / "app" / "app.py").write_text("one")
    (origin / "inner").symlink_to(".git")
    (origin / "loop").symlink_to("loop")
    (origin / "out").symlink_to("/etc")
    _git(origin, "init", "--quiet", "--initial-branch=main")
    _git(origin, "add", ".")
    _git(origin, "commit", "--quiet", "--message=one")
    return origin


@pytest.fixture
def evil(tmp_path: Path) -> Path:
    """A program that leaves a trace."""
    program = tmp_path / "evil"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\nexit 1\n")
    program.chmod(0o755)
    return program


def _git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=A", "-c", "user.email=a@example.com")
    subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True)


def _attempt(text: str) -> Path | None:
    address = ProjectUrl.of(text)
    return None if address is None else check_out(address, clones_folder(), trusted=True)


@pytest.mark.parametrize("ref", REFS)
def test_a_hostile_ref_is_refused_before_anything_is_made(ref: str, origin: Path, evil: Path, tmp_path: Path) -> None:
    with pytest.raises(ProjectError) as caught:
        _attempt(f"file://{origin}#{ref.format(evil=evil)}")
    assert caught.value.todo
    assert str(caught.value).splitlines()[0].isprintable()
    assert not clones_folder().exists()
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("ref", ["$({evil})", "main;{evil}", "main|{evil}", "main&{evil}", "-{evil}"])
def test_a_ref_that_a_shell_would_run_is_only_a_name(ref: str, origin: Path, evil: Path, tmp_path: Path) -> None:
    with pytest.raises(ProjectError):
        _attempt(f"file://{origin}#{ref.format(evil=evil)}")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("url", URLS)
def test_a_hostile_url_is_refused_before_anything_is_made(url: str, evil: Path, tmp_path: Path) -> None:
    with pytest.raises(ProjectError):
        _attempt(url.format(evil=evil))
    assert not clones_folder().exists()
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("url", NAMES)
def test_no_name_leads_to_another_clone(url: str) -> None:
    address = ProjectUrl.of(url)
    assert address is not None
    name = address.name
    assert Path(name).name == name
    assert not name.startswith((".", "-"))
    assert len(name.encode()) < 250


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_is_one_of_the_project(folder: str, origin: Path) -> None:
    with pytest.raises(ProjectError) as caught:
        _attempt(f"file://{origin}#main:{folder}" if folder != "/etc" else f"file://{origin}#main:etc")
    assert caught.value.todo


def test_another_clone_survives_an_address_that_ends_in_dots(origin: Path) -> None:
    clone = _attempt(f"file://{origin}")
    assert clone is not None
    (origin.parent / "dots").mkdir()
    for url in (f"file://{origin}/..", f"file://{origin.parent}/dots/..", f"file://{origin.parent}/."):
        with pytest.raises(ProjectError):
            _attempt(url)
    assert (clone / "app" / "app.py").read_text() == "one"


def test_the_attacks_are_counted() -> None:
    assert CASES > 100
