"""Inline metadata of a script: https://packaging.python.org/specifications/inline-script-metadata/ (PEP 723)."""

from __future__ import annotations

import re

from mldeploy.project.detect.dependencies.dependency import DependencyList, Origin
from mldeploy.project.detect.dependencies.pyproject import read_declared
from mldeploy.project.detect.documents import list_at, parse_toml_tables, table_at, text_at, toml_problem
from mldeploy.project.detect.findings import Remark, Severity, Source
from mldeploy.project.detect.tree import Tree, TreeFile

_BLOCK = re.compile(r"(?m)^# /// script[ \t]*$\n(?P<content>(?:^#(?:| .*)$\n)+?)^# ///[ \t]*$")


def read_script_metadata(tree: Tree, file: TreeFile) -> DependencyList:
    """What a script's own block declares; a list without dependencies if it has none."""
    text, line = _block(tree, file)
    if problem := toml_problem(text):
        what = f"has inline metadata that is no valid TOML, so nothing in it counts: {problem}"
        remark = Remark("unreadable", Severity.WARNING, Source(file.path, line), what, "Correct it.")
        return DependencyList(Origin.SCRIPT, file.path, (), remarks=(remark,))
    tables = parse_toml_tables(text)
    document = {"project": {"dependencies": list_at(tables, "dependencies")}, "tool": table_at(tables, "tool")}
    return read_declared(tree, file, document, Origin.SCRIPT)


def script_python(tree: Tree, file: TreeFile) -> tuple[str, Source] | None:
    """The versions of Python that the block requires, as a PEP 440 specifier."""
    text, line = _block(tree, file)
    required = text_at(parse_toml_tables(text), "requires-python")
    return (required, Source(file.path, line)) if required else None


def _block(tree: Tree, file: TreeFile) -> tuple[str, int]:
    """The TOML text of the block, and the line on which it begins."""
    text = "\n".join(tree.lines(file)) + "\n"
    match = _BLOCK.search(text) if "# /// script" in text else None
    if match is None:
        return "", 0
    content = (line[2:] if line.startswith("# ") else line[1:] for line in match["content"].splitlines())
    return "\n".join(content), text.count("\n", 0, match.start()) + 1
