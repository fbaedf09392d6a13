"""What looks at the source: the tools that the folder is set up for, or a proposal where it is set up for none."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from mldeploy.ci.configured import ini, is_configured, pyproject
from mldeploy.project.detect.documents import at
from mldeploy.project.detect.tree import Tree


@dataclass(frozen=True)
class Tool:
    """A program of a Python package. module: what `python -m` takes. arguments: what follows. why: how it got here."""

    package: str
    module: str
    arguments: str
    why: str


PROPOSAL = Tool("ruff", "ruff", "check --select E9,F63,F7,F82 .", "a proposal: what can only be a mistake")
"""Syntax errors, undefined names, comparisons that mean nothing: nothing that is a matter of taste."""

_SETUP, _TOX = "setup.cfg", "tox.ini"


def linters(tree: Tree, chosen: Collection[str]) -> tuple[Tool, ...]:
    """The tools, in the order in which they are quickest to fail. chosen: what is listed for developers.

    A list of what is installed, which names everything, says nothing of what is used."""
    return tuple(_linters(tree, chosen)) or (PROPOSAL,)


def _linters(tree: Tree, chosen: Collection[str]) -> Iterator[Tool]:
    for package, arguments, configured in _KNOWN:
        if configured(tree):
            yield Tool(package, package, arguments(tree), "the folder has settings for it")
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


def _types_of(tree: Tree) -> str:
    """mypy's settings may say what it looks at; then it is not told."""
    keys = ("files", "packages", "modules")
    said = any(at(pyproject(tree), "tool", "mypy", key) for key in keys)
    said |= any(ini(tree, name).has_option("mypy", key) for name in ("mypy.ini", ".mypy.ini", _SETUP) for key in keys)
    return "" if said else "."


_Arguments = Callable[[Tree], str]
_KNOWN: tuple[tuple[str, _Arguments, Callable[[Tree], bool]], ...] = (
    ("ruff", lambda _: "check .", _ruff),
    ("flake8", lambda _: "", _flake8),
    ("black", lambda _: "--check .", _black),
    ("pylint", lambda _: "--recursive=y .", _pylint),
    ("mypy", _types_of, _mypy),
)
