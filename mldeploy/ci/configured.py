"""Which tools a folder has a configuration for."""

from __future__ import annotations

import configparser
from collections.abc import Collection

from mldeploy.project.detect.documents import at, toml
from mldeploy.project.detect.tree import Tree


def is_configured(
    tree: Tree, *, files: Collection[str] = (), table: str = "", sections: Collection[tuple[str, str]] = ()
) -> bool:
    """Whether a tool's settings stand at the top of the folder.

    files: their own files. table: in pyproject.toml, below `tool`. sections: the names of an ini file and of a section
    in it, of which those below it count as well (`mypy-requests`, `pylint.main`).
    """
    if any(tree.get(name) for name in files):
        return True
    if table and at(pyproject(tree), "tool", table) is not None:
        return True
    return any(
        section == name or section.startswith((f"{name}-", f"{name}."))
        for file, name in sections
        for section in _sections(tree, file)
    )


def pyproject(tree: Tree) -> dict[str, object]:
    """The tables of pyproject.toml; empty where there is none that can be read."""
    file = tree.get("pyproject.toml")
    return toml(tree.text(file)) if file else {}


def ini(tree: Tree, name: str) -> configparser.ConfigParser:
    """An ini file; empty where there is none that can be read."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    file = tree.get(name)
    try:
        parser.read_string(tree.text(file) if file else "")
    except configparser.Error:
        return configparser.ConfigParser()
    return parser


def _sections(tree: Tree, name: str) -> list[str]:
    return ini(tree, name).sections()
