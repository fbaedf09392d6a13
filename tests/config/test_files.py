"""A configuration file that is no readable text: whatever stands under its name, one error says so."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mldeploy.config.errors import ConfigError
from mldeploy.config.load import load
from mldeploy.core.files import LIMIT


def make_folder(path: Path) -> None:
    path.mkdir()


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_loop(path: Path) -> None:
    path.symlink_to(path.name)


def make_invalid(path: Path) -> None:
    path.write_bytes(b"[app]\n# caf\xe9\n")


def make_huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(LIMIT + 1)


def make_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


STRANGE = [
    pytest.param(make_folder, "is a directory", id="folder"),
    pytest.param(make_fifo, "is not a regular file", id="fifo"),
    pytest.param(make_loop, "too many levels of symbolic links", id="loop"),
    pytest.param(make_invalid, "is not UTF-8 text (line 2)", id="latin-1"),
    pytest.param(make_huge, "is larger than 1 MiB", id="huge"),
    pytest.param(make_device, "is not a regular file", id="device"),
]


@pytest.mark.parametrize("name", ["mldeploy.toml", "pyproject.toml"])
@pytest.mark.parametrize(("make", "what"), STRANGE)
def test_what_is_no_text_file_is_no_configuration(
    tmp_path: Path, name: str, make: Callable[[Path], None], what: str
) -> None:
    make(tmp_path / name)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path)
    assert caught.value.where == name
    assert what in caught.value.what
    assert caught.value.todo


@pytest.mark.parametrize(("make", "what"), STRANGE)
def test_nor_is_it_an_env_file(tmp_path: Path, make: Callable[[Path], None], what: str) -> None:
    make(tmp_path / "app.env")
    (tmp_path / "mldeploy.toml").write_text('[app]\nenv_file = "app.env"')
    with pytest.raises(ConfigError) as caught:
        load(tmp_path)
    assert caught.value.where == "mldeploy.toml: app.env_file"
    assert what in caught.value.what


@pytest.mark.parametrize(("make", "what"), STRANGE)
def test_nor_is_it_the_users_own_file(
    tmp_path: Path, bare_machine: Path, make: Callable[[Path], None], what: str
) -> None:
    bare_machine.mkdir()
    make(bare_machine / "config.toml")
    with pytest.raises(ConfigError) as caught:
        load(tmp_path)
    assert caught.value.where == str(bare_machine / "config.toml")
    assert what in caught.value.what


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without root's right to read everything."""
    user = os.geteuid()
    try:
        if user == 0:
            os.seteuid(65534)
        yield
    finally:
        os.seteuid(user)


@pytest.mark.parametrize("closed", ["mldeploy.toml", "."])
def test_a_file_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed: str) -> None:
    load(tmp_path)  # imports what is needed while it may be read
    monkeypatch.setenv("XDG_CONFIG_HOME", "/nonexistent")  # pytest's own folders are root's alone
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "mldeploy.toml").write_text("")
        (folder / closed).chmod(0)
        with as_nobody(), pytest.raises(ConfigError, match=r"mldeploy\.toml: cannot be read: permission denied"):
            load(folder)
        folder.chmod(0o755)


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"mldeploy\.toml: cannot be read: not a directory"):
        load(tmp_path / "file")


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000])
def test_a_name_that_no_folder_can_have_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError):
        load(tmp_path / name)
