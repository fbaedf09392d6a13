"""A project that is named by the address of its git repository."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mldeploy.project.errors import ProjectError
from mldeploy.project.repository import ProjectUrl, check_out


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """A repository with an app in a folder of its own."""
    origin = tmp_path / "shop.git"
    (origin / "app").mkdir(parents=True)
    git(origin, "init", "--quiet", "--initial-branch=main")
    commit(origin, "one")
    return origin


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=A", "-c", "user.email=a@example.com")
    subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True)


def commit(origin: Path, text: str) -> None:
    (origin / "app" / "app.py").write_text(text)
    git(origin, "add", ".")
    git(origin, "commit", "--quiet", "--message", text)


def here(origin: Path, cache: Path, fragment: str = "") -> Path:
    address = ProjectUrl.of(f"file://{origin}{fragment}")
    assert address
    return check_out(address, cache)


@pytest.mark.parametrize(
    ("text", "address", "name"),
    [
        ("https://host/me/shop.git", ProjectUrl("https://host/me/shop.git"), "shop"),
        ("https://host/me/shop#v1", ProjectUrl("https://host/me/shop", "v1"), "shop"),
        ("https://host/shop.git/#:deploy/app", ProjectUrl("https://host/shop.git/", "", "deploy/app"), "shop"),
        ("git@host:me/shop.git#main:app/", ProjectUrl("git@host:me/shop.git", "main", "app"), "shop"),
        ("ssh://git@host/shop.git", ProjectUrl("ssh://git@host/shop.git"), "shop"),
        ("shop", None, ""),
        ("./shop#1:a", None, ""),
        ("ftp://host/shop", None, ""),
    ],
)
def test_an_address_is_told_from_a_folder(text: str, address: ProjectUrl | None, name: str) -> None:
    parsed = ProjectUrl.of(text)
    assert parsed == address
    assert parsed is None or parsed.name == name


@pytest.mark.parametrize("url", ["https://me:secret@host/x.git", "https://token@host/x.git", "ssh://me:secret@host/x"])
def test_an_address_with_credentials_is_refused_without_telling_them(url: str) -> None:
    with pytest.raises(ProjectError) as caught:
        ProjectUrl.of(url)
    assert "credentials" in str(caught.value)
    assert not {"secret", "token"} & set(str(caught.value).replace(":", "@").split("@"))


def test_what_looks_like_an_address_and_is_none_is_said() -> None:
    with pytest.raises(ProjectError, match="no address"):
        ProjectUrl.of("https://[host/x.git")


def test_it_is_brought_here_and_up_to_date(origin: Path, tmp_path: Path) -> None:
    first = here(origin, tmp_path / "cache", "#main:app")
    assert (first.name, (first / "app.py").read_text()) == ("app", "one")
    (first / "app.py").write_text("somebody's edit")
    (first / "left over").touch()
    commit(origin, "two")
    again = here(origin, tmp_path / "cache", "#main:app")
    assert again == first
    assert [(file.name, file.read_text()) for file in again.iterdir()] == [("app.py", "two")]
    assert here(origin, tmp_path / "cache").name == "shop"


def test_a_tag_or_a_commit_is_what_is_meant(origin: Path, tmp_path: Path) -> None:
    git(origin, "tag", "v1")
    commit(origin, "two")
    assert (here(origin, tmp_path / "cache", "#v1:app") / "app.py").read_text() == "one"
    assert (here(origin, tmp_path / "cache", "#:app") / "app.py").read_text() == "two"


@pytest.mark.parametrize(
    ("fragment", "what"),
    [("#nowhere", "git cannot fetch it"), ("#:none", "has no folder 'none'"), ("#:../..", "has no folder '../..'")],
)
def test_what_is_not_there_is_said(origin: Path, tmp_path: Path, fragment: str, what: str) -> None:
    with pytest.raises(ProjectError) as caught:
        here(origin, tmp_path / "cache", fragment)
    assert what in caught.value.what


def test_a_repository_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ProjectError) as caught:
        here(tmp_path / "nothing", tmp_path / "cache")
    assert "does not" in caught.value.what
    assert "git ls-remote" in caught.value.todo
