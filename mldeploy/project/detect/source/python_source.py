"""Python source: parsed and evaluated statically, never imported or run."""

from __future__ import annotations

import ast
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from mldeploy.project.detect.dependencies.own_package import OwnPackage, find_package
from mldeploy.project.detect.findings import Remark, Severity, Source
from mldeploy.project.detect.tree import TEXT_LIMIT, Tree, TreeFile

MAX_MODULES = 500
"""Modules that are parsed: far more than an app that serves a model has."""


@dataclass(frozen=True, eq=False)
class PythonModule:
    """One parsed file. name: dotted, as seen from the folder: `deploy.app`; an `__init__` has its package's."""

    file: TreeFile
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
    def rebound(self) -> frozenset[str]:
        """Imported names that the module also binds in another way: the source does not say what they mean."""
        bound = {name for each in self.nodes if isinstance(each, ast.stmt) for name, _ in assignments(each)}
        loops = (each.target for each in self.nodes if isinstance(each, ast.For | ast.AsyncFor | ast.comprehension))
        bound |= {each.id for target in loops for each in ast.walk(target) if isinstance(each, ast.Name)}
        imports = [each for each in self.nodes if isinstance(each, ast.ImportFrom)]
        origins = {
            (alias.asname or alias.name, (each.module or "").rpartition(".")[2], alias.name)
            for each in imports
            for alias in each.names
        }
        counted = Counter(name for name, *_ in origins)
        return frozenset(name for name in self.aliases if name in bound or counted[name] > 1)

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


class SourceTree:
    """The modules of a folder, parsed at first use.

    `remarks` collects the modules that could not be parsed.
    """

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.remarks: list[Remark] = []
        self._parsed: dict[str, PythonModule | None] = {}
        self._imported: dict[PythonModule, tuple[PythonModule, ...]] = {}

    @cached_property
    def package(self) -> OwnPackage | None:
        """The package that the folder is, which the image installs."""
        return find_package(self.tree)[0]

    def module(self, path: str) -> PythonModule | None:
        """The module at a path below the folder; None if it is not there, is no Python 3, or there are too many."""
        if path not in self._parsed:
            file = self.tree.get(path)
            if file is None or len(self._parsed) >= MAX_MODULES:
                return None
            self._parsed[path] = self._parse(file)
        return self._parsed[path]

    def local(self, name: str, importer: PythonModule) -> TreeFile | None:
        """The file that an import means, if it is one of the folder's own."""
        dots = len(name) - len(name.lstrip("."))
        below = name.lstrip(".").replace(".", "/")
        if dots:
            parents = importer.file.folder.split("/") if importer.file.folder else []
            if dots - 1 > len(parents):
                return None
            return self._file("/".join((*parents[: len(parents) - dots + 1], below)).strip("/"))
        folder = importer.file.folder
        above = ["/".join(folder.split("/")[:depth]) for depth in range(folder.count("/"), 0, -1)]
        # From the folder, as a script, below a folder that the app is started in, in the src layout.
        for root in dict.fromkeys(("", folder, *above, "src")):
            if file := self._file(f"{root}/{below}".strip("/")):
                return file
        return None

    def reachable(self, start: Iterable[PythonModule]) -> tuple[PythonModule, ...]:
        """These modules and those of the folder's own that they import, directly or not, nearest first."""
        modules = {module.file.path: module for module in start}
        queue = list(modules.values())
        for module in queue:  # grows while it is walked
            for below in self.imported(module):
                if below.file.path not in modules:
                    modules[below.file.path] = below
                    queue.append(below)
        return tuple(modules.values())

    def imported(self, module: PythonModule) -> tuple[PythonModule, ...]:
        """The folder's own modules that a module imports."""
        if module not in self._imported:
            files = (self.local(name, module) for name, _ in module.imports)
            below = (self.module(file.path) for file in files if file)
            self._imported[module] = tuple(dict.fromkeys(each for each in below if each))
        return self._imported[module]

    def _file(self, path: str) -> TreeFile | None:
        return self.tree.first(f"{path}/__init__.py", f"{path}.py") if path else None

    def _parse(self, file: TreeFile) -> PythonModule | None:
        data = self.tree.data(file)
        try:
            if file.size > TEXT_LIMIT:
                raise ValueError(f"larger than {TEXT_LIMIT >> 20} MiB, the limit for source files")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # an invalid escape in their source is not our warning
                tree = ast.parse(data)
        except (SyntaxError, ValueError, LookupError, RecursionError, MemoryError) as error:
            self.remarks.append(_broken(file, error))
            return None
        nodes = tuple(ast.walk(tree))
        return PythonModule(file, module_name(file.path), tree, nodes, _aliases(nodes), _constants(tree))


def module_name(path: str) -> str:
    """`deploy/app.py` → `deploy.app`, `shop/__init__.py` → `shop`, `src/shop/app.py` → `src.shop.app`."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _broken(file: TreeFile, error: Exception) -> Remark:
    line = getattr(error, "lineno", None) or 0
    reason = error.msg if isinstance(error, SyntaxError) else str(error) or type(error).__name__
    if "'utf-8' codec can't decode" in reason:
        reason = "it is not in UTF-8, and names no other encoding"
    what = f"cannot be parsed as Python 3: {reason}"
    todo = "Correct or remove the file. It was not analyzed."
    return Remark("unreadable-source", Severity.WARNING, Source(file.path, line), what, todo)


def _aliases(nodes: Iterable[ast.AST]) -> dict[str, str]:
    aliases: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                aliases[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            joint = "" if base.endswith(".") else "."
            aliases |= {alias.asname or alias.name: f"{base}{joint}{alias.name}" for alias in node.names}
    return aliases


def _constants(tree: ast.Module) -> dict[str, ast.expr]:
    constants: dict[str, ast.expr] = {}
    again: set[str] = set()
    for node in top_level(tree.body):
        for name, value in assignments(node):
            again |= {name} & constants.keys()
            constants[name] = value
    return {name: value for name, value in constants.items() if name not in again}


def assignments(node: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
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


Constant: TypeAlias = str | int | float | bool

_ENVIRONMENT = frozenset({"os.environ.get", "os.getenv", "environ.get", "getenv", "config", "decouple.config", "env"})
_DEPTH = 12


def evaluate(node: ast.AST | None, module: PythonModule, depth: int = _DEPTH) -> Constant | None:
    """The constant that an expression comes to, or None if the source alone does not say.

    An environment variable counts with its default: `int(os.environ.get("PORT", 5000))` is 5000. Names count if the
    module assigns them once. Of an f-string, what is unknown becomes `{}`.
    """
    match node if depth else None:
        case ast.Constant(value=str() | int() | float() as value):
            return value
        case ast.Name(id=name):
            return evaluate(module.constants.get(name), module, depth - 1)
        case ast.Call() as call:
            return _evaluate_call(call, module, depth)
        case ast.expr() as compound:
            return _evaluate_compound(compound, module, depth)
        case _:
            return None


def _evaluate_compound(node: ast.expr, module: PythonModule, depth: int) -> Constant | None:
    match node:
        case ast.JoinedStr(values=values):
            return "".join(_format_part(value, module, depth) for value in values)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _add(evaluate(left, module, depth - 1), evaluate(right, module, depth - 1))
        case ast.BoolOp(op=ast.Or(), values=values):  # os.environ.get("PORT") or 5000
            known = (evaluate(value, module, depth - 1) for value in values)
            return next((value for value in known if value is not None), None)
        case _:
            return None


def _format_part(node: ast.expr, module: PythonModule, depth: int) -> str:
    value = evaluate(node.value if isinstance(node, ast.FormattedValue) else node, module, depth - 1)
    return "{}" if value is None else str(value)


def _add(left: Constant | None, right: Constant | None) -> Constant | None:
    if isinstance(left, str) and isinstance(right, str):
        return left + right
    if isinstance(left, str) or isinstance(right, str) or left is None or right is None:
        return None
    return left + right


def _evaluate_call(node: ast.Call, module: PythonModule, depth: int) -> Constant | None:
    name = module.dotted(node.func)
    if name in {"int", "str"} and len(node.args) == 1:
        value = evaluate(node.args[0], module, depth - 1)
        if name == "str":
            return None if value is None else str(value)
        try:
            return None if value is None else int(value)
        except (ValueError, OverflowError):
            return None
    if name in _ENVIRONMENT:
        default = node.args[1] if len(node.args) > 1 else keyword_argument(node, "default")
        return evaluate(default, module, depth - 1)
    return None


def environment_variable(node: ast.AST | None, module: PythonModule) -> str:
    """The environment variable that decides an expression, directly or through one name; "" if none does."""
    if node is None:
        return ""
    behind = (module.constants.get(each.id) for each in ast.walk(node) if isinstance(each, ast.Name))
    return next((name for each in (node, *behind) if each is not None and (name := _variable_read(each, module))), "")


def _variable_read(node: ast.AST, module: PythonModule) -> str:
    """The first environment variable that an expression reads itself."""
    for each in ast.walk(node):
        if isinstance(each, ast.Call) and module.dotted(each.func) in _ENVIRONMENT and each.args:
            name = evaluate(each.args[0], module)
        elif isinstance(each, ast.Subscript) and module.dotted(each.value) in {"os.environ", "environ"}:
            name = evaluate(each.slice, module)
        else:
            continue
        if isinstance(name, str):
            return name
    return ""


def keyword_argument(node: ast.Call, name: str) -> ast.expr | None:
    """The expression given for a keyword argument, or None."""
    return next((each.value for each in node.keywords if each.arg == name), None)


def call_argument(node: ast.Call, position: int, name: str) -> ast.expr | None:
    """The expression given for a parameter, by keyword or by position."""
    given = keyword_argument(node, name)
    if given is None and position < len(node.args):
        given = node.args[position]
    return given
