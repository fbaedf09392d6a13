"""The linters and the test runner of a workflow, chosen from what the folder is configured for."""

from __future__ import annotations

import configparser
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from mldeploy.project.detect.documents import parse_toml_tables, value_at
from mldeploy.project.detect.tree import Tree, TreeFile


@dataclass(frozen=True)
class Tool:
    """A program of a Python package. module: what `python -m` takes. arguments: what follows. why: how it got here."""

    package: str
    module: str
    arguments: str
    why: str


PROPOSAL = Tool("ruff", "ruff", "check --select E9,F63,F7,F82 .", "a proposal: rules for definite errors")
"""Syntax errors, undefined names, comparisons that mean nothing: nothing that is a matter of taste."""

_SETUP, _TOX = "setup.cfg", "tox.ini"


def choose_linters(tree: Tree, chosen: Collection[str]) -> tuple[Tool, ...]:
    """The tools, in the order in which they are quickest to fail. chosen: what is listed for developers.

    A list of what is installed, which names everything, says nothing of what is used."""
    return tuple(_configured_linters(tree, chosen)) or (PROPOSAL,)


def _configured_linters(tree: Tree, chosen: Collection[str]) -> Iterator[Tool]:
    for package, arguments, configured in _KNOWN:
        if configured(tree):
            yield Tool(package, package, arguments(tree), "the folder configures it")
        elif package in chosen:
            yield Tool(package, package, arguments(tree), "it is listed for developers")


def _ruff(tree: Tree) -> bool:
    return is_configured(tree, files=("ruff.toml", ".ruff.toml"), table="ruff")


def _black(tree: Tree) -> bool:
    return is_configured(tree, table="black")


def _flake8(tree: Tree) -> bool:
    return is_configured(tree, files=(".flake8",), sections=((_SETUP, "flake8"), (_TOX, "flake8")))


def _pylint(tree: Tree) -> bool:
    files = (".pylintrc", "pylintrc", ".pylintrc.toml", "pylintrc.toml")
    return is_configured(tree, files=files, table="pylint", sections=((_SETUP, "pylint"), (_TOX, "pylint")))


def _mypy(tree: Tree) -> bool:
    return is_configured(tree, files=("mypy.ini", ".mypy.ini"), table="mypy", sections=((_SETUP, "mypy"),))


def _mypy_arguments(tree: Tree) -> str:
    """mypy's settings may say what it looks at; then it is not told."""
    keys = ("files", "packages", "modules")
    configured = any(value_at(read_pyproject_tables(tree), "tool", "mypy", key) for key in keys)
    configured |= any(
        read_ini(tree, name).has_option("mypy", key) for name in ("mypy.ini", ".mypy.ini", _SETUP) for key in keys
    )
    return "" if configured else "."


_Arguments = Callable[[Tree], str]
_KNOWN: tuple[tuple[str, _Arguments, Callable[[Tree], bool]], ...] = (
    ("ruff", lambda _: "check .", _ruff),
    ("flake8", lambda _: "", _flake8),
    ("black", lambda _: "--check .", _black),
    ("pylint", lambda _: "--recursive=y .", _pylint),
    ("mypy", _mypy_arguments, _mypy),
)


_NAME = re.compile(r"test_.*\.py|.*_test\.py")
_TEST = re.compile(r"^\s*(?:async\s+)?def test|^class Test|^class \w+\([^)]*TestCase", re.MULTILINE)
_UNITTEST = re.compile(r"^\s*(?:import unittest|from unittest)", re.MULTILINE)
_PYTEST = re.compile(r"^\s*(?:import pytest|from pytest)|^(?:async )?def test", re.MULTILINE)
_OTHER_RUNNERS = ("tox.ini", "noxfile.py", "Makefile")


@dataclass(frozen=True)
class TestSuite:
    """runner: None where there are no tests. files: how many. unused: what might run some, and was not taken."""

    runner: Tool | None
    files: int
    unused: tuple[str, ...] = ()


def detect_tests(tree: Tree, listed: Collection[str]) -> TestSuite:
    """What runs the tests. Only files in which there is a test count: a runner that finds none fails."""
    files = [each for each in tree.ending(".py") if _NAME.fullmatch(each.name) and _TEST.search(tree.text(each))]
    if not files:
        return TestSuite(None, 0, tuple(name for name in _OTHER_RUNNERS if tree.get(name)))
    if (
        (start := _unittest_arguments(tree, files)) is not None
        and "pytest" not in listed
        and not _pytest_configured(tree)
    ):
        return TestSuite(Tool("", "unittest", f"discover{start}", "the tests use unittest only"), len(files))
    return TestSuite(Tool("pytest", "pytest", "", "it runs all kinds of tests"), len(files))


def _pytest_configured(tree: Tree) -> bool:
    sections = (("tox.ini", "pytest"), ("setup.cfg", "tool:pytest"))
    return is_configured(tree, files=("pytest.ini", ".pytest.ini", "conftest.py"), table="pytest", sections=sections)


def _unittest_arguments(tree: Tree, files: Collection[TreeFile]) -> str | None:
    """What stands behind `discover` if Python's own runner finds and understands all of them, or None."""
    texts = [tree.text(each) for each in files]
    if any(_PYTEST.search(text) or not _UNITTEST.search(text) for text in texts):
        return None
    folders = {PurePosixPath(each.folder).as_posix() for each in files}
    if any(not each.name.startswith("test") for each in files) or len(folders) > 1:
        return None
    folder = folders.pop()
    if folder == ".":
        return ""
    is_package = "/" not in folder and tree.get(f"{folder}/__init__.py") is not None
    return f" --start-directory {folder} --top-level-directory ." if is_package else None


def is_configured(
    tree: Tree, *, files: Collection[str] = (), table: str = "", sections: Collection[tuple[str, str]] = ()
) -> bool:
    """Whether a tool's settings stand at the top of the folder.

    files: their own files. table: in pyproject.toml, below `tool`. sections: the names of an ini file and of a section
    in it, of which those below it count as well (`mypy-requests`, `pylint.main`).
    """
    if any(tree.get(name) for name in files):
        return True
    if table and value_at(read_pyproject_tables(tree), "tool", table) is not None:
        return True
    return any(
        section == name or section.startswith((f"{name}-", f"{name}."))
        for file, name in sections
        for section in _list_sections(tree, file)
    )


def read_pyproject_tables(tree: Tree) -> dict[str, object]:
    """The tables of pyproject.toml; empty where there is none that can be read."""
    file = tree.get("pyproject.toml")
    return parse_toml_tables(tree.text(file)) if file else {}


def read_ini(tree: Tree, name: str) -> configparser.ConfigParser:
    """An ini file; empty where there is none that can be read."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    file = tree.get(name)
    try:
        parser.read_string(tree.text(file) if file else "")
    except configparser.Error:
        return configparser.ConfigParser()
    return parser


def _list_sections(tree: Tree, name: str) -> list[str]:
    return read_ini(tree, name).sections()
