"""Python source, read as source: parsed, never imported, never run."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from mldeploy.project.detect.findings import Remark, Severity, Source
from mldeploy.project.detect.tree import TEXT_LIMIT, File, Tree

MAX_MODULES = 500
"""Modules that are parsed: far more than an app that serves a model has."""


@dataclass(frozen=True, eq=False)
class Module:
    """One parsed file. name: dotted, as seen from the folder: `deploy.app`; an `__init__` has its package's."""

    file: File
    name: str
    tree: ast.Module
    nodes: tuple[ast.AST, ...]
    """Every node, in no particular order of depth: each detector walks the whole module."""
    aliases: Mapping[str, str]
    """What each imported name stands for: `Flask` → `flask.Flask`, `np` → `numpy`, `run` → `.server.run`."""
    constants: Mapping[str, ast.expr]
    """The values of names that the module assigns exactly once, at its top level."""

    def at(self, node: ast.AST) -> Source:
        return Source(self.file.path, getattr(node, "lineno", 0))

    def dotted(self, node: ast.AST) -> str:
        """What a name or attribute chain stands for, through the imports: `f.Flask` → `flask.Flask`; else ""."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ""
        parts.append(self.aliases.get(node.id, node.id))
        return ".".join(reversed(parts))

    def called(self, node: ast.AST | None) -> str:
        """What a call calls; "" if the node is not a call."""
        return self.dotted(node.func) if isinstance(node, ast.Call) else ""

    @cached_property
    def calls(self) -> tuple[ast.Call, ...]:
        """Every call in the module."""
        return tuple(node for node in self.nodes if isinstance(node, ast.Call))

    @cached_property
    def imports(self) -> tuple[tuple[str, int], ...]:
        """Every module that is imported, with the line: `flask`, `.routes`; `from a import b` gives `a` and `a.b`."""
        return tuple(self._imports())

    def _imports(self) -> Iterator[tuple[str, int]]:
        for node in self.nodes:
            if isinstance(node, ast.Import):
                yield from ((alias.name, node.lineno) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = "." * node.level + (node.module or "")
                yield base, node.lineno
                joint = "" if base.endswith(".") else "."
                yield from ((f"{base}{joint}{alias.name}", node.lineno) for alias in node.names if alias.name != "*")


class Sources:
    """The modules of a folder, parsed when they are first asked for.

    `remarks` collects what could not be parsed among what was asked for.
    """

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.remarks: list[Remark] = []
        self._parsed: dict[str, Module | None] = {}
        self._imported: dict[Module, tuple[Module, ...]] = {}

    def module(self, path: str) -> Module | None:
        """The module at a path below the folder; None if it is not there, is no Python 3, or there are too many."""
        if path not in self._parsed:
            file = self.tree.get(path)
            if file is None or len(self._parsed) >= MAX_MODULES:
                return None
            self._parsed[path] = self._parse(file)
        return self._parsed[path]

    def local(self, name: str, importer: Module) -> File | None:
        """The file that an import means, if it is one of the folder's own."""
        dots = len(name) - len(name.lstrip("."))
        below = name.lstrip(".").replace(".", "/")
        if dots:
            parents = importer.file.folder.split("/") if importer.file.folder else []
            if dots - 1 > len(parents):
                return None
            return self._file("/".join((*parents[: len(parents) - dots + 1], below)).strip("/"))
        for root in dict.fromkeys(("", importer.file.folder, "src")):  # from the folder, as a script, in the src layout
            if found := self._file(f"{root}/{below}".strip("/")):
                return found
        return None

    def reachable(self, start: Iterable[Module]) -> tuple[Module, ...]:
        """These modules and those of the folder's own that they import, directly or not, nearest first."""
        found = {module.file.path: module for module in start}
        queue = list(found.values())
        for module in queue:  # grows while it is walked
            for below in self.imported(module):
                if below.file.path not in found:
                    found[below.file.path] = below
                    queue.append(below)
        return tuple(found.values())

    def imported(self, module: Module) -> tuple[Module, ...]:
        """The folder's own modules that a module imports."""
        if module not in self._imported:
            files = (self.local(name, module) for name, _ in module.imports)
            below = (self.module(file.path) for file in files if file)
            self._imported[module] = tuple(dict.fromkeys(each for each in below if each))
        return self._imported[module]

    def _file(self, path: str) -> File | None:
        return self.tree.first(f"{path}.py", f"{path}/__init__.py") if path else None

    def _parse(self, file: File) -> Module | None:
        data = self.tree.data(file)
        try:
            if file.size > TEXT_LIMIT:
                raise ValueError(f"larger than {TEXT_LIMIT >> 20} MiB, which nobody wrote by hand")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # an invalid escape in their source is not our warning
                tree = ast.parse(data)
        except (SyntaxError, ValueError, LookupError, RecursionError, MemoryError) as error:
            self.remarks.append(_broken(file, error))
            return None
        nodes = tuple(ast.walk(tree))
        return Module(file, module_name(file.path), tree, nodes, _aliases(nodes), _constants(tree))


def module_name(path: str) -> str:
    """`deploy/app.py` → `deploy.app`, `shop/__init__.py` → `shop`, `src/shop/app.py` → `src.shop.app`."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _broken(file: File, error: Exception) -> Remark:
    line = getattr(error, "lineno", None) or 0
    reason = error.msg if isinstance(error, SyntaxError) else str(error) or type(error).__name__
    if "'utf-8' codec can't decode" in reason:
        reason = "it is not in UTF-8, and names no other encoding"
    what = f"is not Python 3 that can be read: {reason}"
    todo = "Correct it, or leave the file out; nothing in it was looked at."
    return Remark("unreadable-source", Severity.WARNING, Source(file.path, line), what, todo)


def _aliases(nodes: Iterable[ast.AST]) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                found[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            joint = "" if base.endswith(".") else "."
            found |= {alias.asname or alias.name: f"{base}{joint}{alias.name}" for alias in node.names}
    return found


def _constants(tree: ast.Module) -> dict[str, ast.expr]:
    found: dict[str, ast.expr] = {}
    again: set[str] = set()
    for node in top_level(tree.body):
        for name, value in assigned(node):
            again |= {name} & found.keys()
            found[name] = value
    return {name: value for name, value in found.items() if name not in again}


def assigned(node: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    """The names that a statement assigns, with their values: `a = b = 1`, `a: int = 1`."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Name):
                yield target.id, node.value
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
        yield node.target.id, node.value


def top_level(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run on import, also those in `if`, `try` and `with`, but not a script's own block."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.With | ast.Try | ast.For | ast.While) and not is_main_guard(node):
            yield from top_level(node.body)
            yield from top_level(getattr(node, "orelse", []))
            for handler in getattr(node, "handlers", []):
                yield from top_level(handler.body)


def is_main_guard(node: ast.stmt) -> bool:
    """`if __name__ == "__main__":`"""
    if not (isinstance(node, ast.If) and isinstance(node.test, ast.Compare)):
        return False
    sides = [node.test.left, *node.test.comparators]
    return any(isinstance(side, ast.Name) and side.id == "__name__" for side in sides)
