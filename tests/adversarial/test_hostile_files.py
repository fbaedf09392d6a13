"""A file that mldeploy reads is a pipe, a device, a link, a folder or huge: one error says so, and soon."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mldeploy.config.errors import ConfigError
from mldeploy.config.load import load
from mldeploy.core.errors import MldeployError, StateError
from mldeploy.core.journal import Journal, Scope, read
from mldeploy.core.lock import Lock
from mldeploy.core.parsing import parse_json, parse_toml
from mldeploy.project.golden import load_golden
from mldeploy.project.ignore import load_dockerignore
from tests.cli.command import Command
from tests.cli.conftest import folder, mldeploy, name  # noqa: F401 - fixtures

SECONDS = 20
"""Of this process's own time, which what else runs on the machine hardly changes."""
HUGE = 3 << 30


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def link_to_zero(path: Path) -> None:
    path.symlink_to("/dev/zero")


def link_to_terminal(path: Path) -> None:
    path.symlink_to("/dev/ptmx")


def make_socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's whole path has to be short
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)
    finally:
        os.chdir(here)


def make_huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(HUGE)


def make_loop(path: Path) -> None:
    path.symlink_to(path.name)


def make_folder(path: Path) -> None:
    path.mkdir()


HOSTILE: dict[str, tuple[Callable[[Path], None], str]] = {
    "fifo": (make_fifo, "a named pipe"),
    "zero": (link_to_zero, "a link to a device"),
    "terminal": (link_to_terminal, "a link to a device"),
    "socket": (make_socket, "a socket"),
    "huge": (make_huge, "is larger than"),
    "loop": (make_loop, "symbolic link"),
    "folder": (make_folder, "is a directory"),
}


def hostile() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("kind", HOSTILE)


def test_the_kinds_are_counted() -> None:
    print(f"\n{len(HOSTILE)} kinds of hostile files")  # noqa: T201 - the count is part of the report
    assert len(HOSTILE) == 7


def test_the_project_s_files_are_refused(tmp_path: Path) -> None:
    readers: dict[str, Callable[[Path], object]] = {
        "mldeploy.toml": lambda path: load(path.parent),
        ".dockerignore": lambda path: load_dockerignore(path.parent),
        "golden.json": load_golden,
    }
    for kind, (make, what) in HOSTILE.items():
        for name_, reader in readers.items():
            below = tmp_path / f"{kind}-{name_}"
            below.mkdir()
            make(below / name_)
            started = time.process_time()
            with pytest.raises(MldeployError) as caught:
                reader(below / name_)
            assert name_ in caught.value.where
            assert what in caught.value.what
            assert caught.value.todo
            assert time.process_time() - started < SECONDS
    print(f"\n{len(HOSTILE) * len(readers)} hostile files of a project")  # noqa: T201 - the count is part of the report


@hostile()
def test_a_journal_that_is_none_is_refused(tmp_path: Path, kind: str) -> None:
    scope = Scope("shop", "local")
    path = scope.file(tmp_path)
    path.parent.mkdir(parents=True)
    HOSTILE[kind][0](path)
    with pytest.raises(StateError) as caught:
        read(tmp_path, scope)
    assert caught.value.where == str(path)
    assert caught.value.todo
    with pytest.raises(StateError):
        Journal(tmp_path, scope, "deploy")


@pytest.mark.parametrize("kind", [kind for kind in HOSTILE if kind != "huge"])
def test_a_lock_that_is_none_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "app.lock"
    HOSTILE[kind][0](path)
    with pytest.raises(StateError) as caught:
        Lock(path, "deploy")
    assert caught.value.where == str(path)


def test_what_a_link_in_the_state_folder_leads_to_is_not_changed(tmp_path: Path) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("a line without an end")
    for suffix in (".lock", ".journal"):
        path = Scope("shop", "local").file(tmp_path).with_suffix(suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(precious)
        with pytest.raises(StateError, match="symbolic link"):
            Journal(tmp_path, Scope("shop", "local"), "deploy")
        path.unlink()
    assert precious.read_text() == "a line without an end"


DOCUMENTS = {
    "dotted name": "a" + ".a" * 100_000 + " = 1",
    "dotted name with spaces": "a" + " . a" * 100_000 + " = 1",
    "quoted dotted name": '"a"' + '."a"' * 100_000 + " = 1",
    "dotted table": "[a" + ".a" * 100_000 + "]",
    "array of dotted tables": "[[a" + ".a" * 100_000 + "]]",
    "dotted name inline": "a = {b" + ".b" * 100_000 + " = 1}",
    "nested arrays": "a = " + "[" * 100_000 + "]" * 100_000,
    "nested tables": "a = " + "{a=" * 50_000 + "1" + "}" * 50_000,
    "three hundred levels": "a = " + "[" * 300 + "]" * 300,
    "long integer": "a = " + "9" * 100_000,
    "long hexadecimal": "a = 0x" + "f" * 100_000,
    "open strings": 'a = "' + '\\"' * 200_000,
    "open long strings": 'a = """' + '\\"' * 200_000,
}


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_toml_that_costs_its_reader_much_is_refused_quickly(tmp_path: Path, kind: str) -> None:
    (tmp_path / "mldeploy.toml").write_text(DOCUMENTS[kind])
    started = time.process_time()
    with pytest.raises(ConfigError):
        load(tmp_path)
    assert time.process_time() - started < SECONDS


def test_usual_toml_with_many_dots_is_read() -> None:
    dots = "." * 1000
    text = f'a = "{dots}"\nb = """{dots}"""\nc = \'{dots}\' # {dots}\nd.e.f = [{"1.5, " * 500}]\n'
    assert parse_toml(text)["a"] == dots


@pytest.mark.parametrize("text", ["[" * 200_000 + "]" * 200_000, '{"a":' * 300 + "1" + "}" * 300, "[" * 100_000])
def test_json_that_is_nested_deeply_is_no_document(text: str) -> None:
    with pytest.raises(ValueError, match=r"nested|Expecting"):
        parse_json(text)


@pytest.mark.parametrize("file", [".dockerignore", "mldeploy.toml", "requirements.txt", "app.py"])
@pytest.mark.parametrize("kind", ["fifo"])
def test_no_command_waits_for_such_a_file(mldeploy: Command, kind: str, file: str) -> None:  # noqa: F811
    (mldeploy.folder / file).unlink(missing_ok=True)
    HOSTILE[kind][0](mldeploy.folder / file)
    result = mldeploy("plan", "--target", "paper", "--json", within=600)
    assert result.code not in (0, 70)
    assert "Traceback" not in result.err


@pytest.mark.parametrize("kind", ["fifo", "zero", "huge"])
def test_no_command_waits_for_such_a_journal(mldeploy: Command, name: str, kind: str) -> None:  # noqa: F811
    path = Scope(name, "local").file(mldeploy.state)
    path.parent.mkdir(parents=True)
    HOSTILE[kind][0](path)
    result = mldeploy("destroy", "--yes", "--json", within=600)
    assert result.code == 11, result
    assert json.loads(result.out)["error"]["where"] == str(path)
