"""The folder's tests, and what runs them."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import PurePosixPath

from mldeploy.ci.configured import is_configured
from mldeploy.ci.linting import Tool
from mldeploy.project.detect.tree import File, Tree

_NAME = re.compile(r"test_.*\.py|.*_test\.py")
_TEST = re.compile(r"^\s*(?:async\s+)?def test|^class Test|^class \w+\([^)]*TestCase", re.MULTILINE)
_UNITTEST = re.compile(r"^\s*(?:import unittest|from unittest)", re.MULTILINE)
_PYTEST = re.compile(r"^\s*(?:import pytest|from pytest)|^(?:async )?def test", re.MULTILINE)
_OTHERS = ("tox.ini", "noxfile.py", "Makefile")


@dataclass(frozen=True)
class Tests:
    """runner: None where there are no tests. files: how many. unused: what might run some, and was not taken."""

    runner: Tool | None
    files: int
    unused: tuple[str, ...] = ()


def tests(tree: Tree, listed: Collection[str]) -> Tests:
    """What runs the tests. Only files in which there is a test count: a runner that finds none fails."""
    found = [each for each in tree.ending(".py") if _NAME.fullmatch(each.name) and _TEST.search(tree.text(each))]
    if not found:
        return Tests(None, 0, tuple(name for name in _OTHERS if tree.get(name)))
    if (start := _unittest(tree, found)) is not None and "pytest" not in listed and not _configured(tree):
        return Tests(Tool("", "unittest", f"discover{start}", "its tests know no other"), len(found))
    return Tests(Tool("pytest", "pytest", "", "it runs all kinds of tests"), len(found))


def _configured(tree: Tree) -> bool:
    sections = (("tox.ini", "pytest"), ("setup.cfg", "tool:pytest"))
    return is_configured(tree, files=("pytest.ini", ".pytest.ini", "conftest.py"), table="pytest", sections=sections)


def _unittest(tree: Tree, found: Collection[File]) -> str | None:
    """What stands behind `discover` if Python's own runner finds and understands all of them, or None."""
    texts = [tree.text(each) for each in found]
    if any(_PYTEST.search(text) or not _UNITTEST.search(text) for text in texts):
        return None
    folders = {PurePosixPath(each.folder).as_posix() for each in found}
    if any(not each.name.startswith("test") for each in found) or len(folders) > 1:
        return None
    folder = folders.pop()
    if folder == ".":
        return ""
    is_package = "/" not in folder and tree.get(f"{folder}/__init__.py") is not None
    return f" --start-directory {folder} --top-level-directory ." if is_package else None
