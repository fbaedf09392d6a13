"""The paths that expressions name: `os.path.join(BASE, "x.csv")`, `Path(__file__).parent / "x.csv"`."""

from __future__ import annotations

import ast
import posixpath
from typing import Final

from mldeploy.project.detect.source.python_source import PythonModule, evaluate

ANCHOR: Final = "@/"
"""Begins a path that the module's own location decides: it is below the project's folder, wherever the app starts."""
_DEPTH: Final = 12
_SAME: Final = frozenset({"os.path.abspath", "os.path.realpath", "os.path.normpath", "pathlib.Path", "str"})
_SAME_METHODS: Final = frozenset({"resolve", "absolute", "as_posix"})


def is_path(node: ast.expr, module: PythonModule, depth: int = _DEPTH) -> bool:
    """Whether an expression is an object of pathlib."""
    match node if depth else None:
        case ast.Name(id=name):
            value = module.constants.get(name)
            return value is not None and is_path(value, module, depth - 1)
        case ast.BinOp(left=left, op=ast.Div()):
            return is_path(left, module, depth - 1)
        case ast.Attribute(value=value, attr="parent"):
            return is_path(value, module, depth - 1)
        case ast.Call(func=ast.Attribute(value=value, attr=attr)) if attr in _SAME_METHODS:
            return is_path(value, module, depth - 1)
        case ast.Call():
            return module.called(node) == "pathlib.Path"
        case _:
            return False


def read_path(  # noqa: PLR0911 - one per form of expression
    node: ast.expr | None, module: PythonModule, depth: int = _DEPTH
) -> str | None:
    """The path that an expression names, or None if the source does not say. ANCHOR begins one from `__file__`."""
    match node if depth else None:
        case ast.Name(id="__file__"):
            return ANCHOR + module.file.path
        case ast.Name(id=name) if name in module.constants:
            return read_path(module.constants[name], module, depth - 1)
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return _join(read_path(left, module, depth - 1), read_path(right, module, depth - 1))
        case ast.Attribute(value=value, attr="parent"):
            return _folder(read_path(value, module, depth - 1))
        case ast.Call() as call:
            return _read_call(call, module, depth)
        case ast.expr() as other:
            known = evaluate(other, module)
            return known if isinstance(known, str) else None
        case _:
            return None


def _read_call(call: ast.Call, module: PythonModule, depth: int) -> str | None:
    name = module.called(call)
    if isinstance(call.func, ast.Attribute) and call.func.attr in _SAME_METHODS and not call.args:
        return read_path(call.func.value, module, depth - 1)
    parts = [read_path(each, module, depth - 1) for each in call.args]
    if name == "os.path.join" or (name == "pathlib.Path" and len(parts) > 1):
        return _join(*parts)
    if len(parts) == 1 and name == "os.path.dirname":
        return _folder(parts[0])
    if len(parts) == 1 and name in _SAME:
        return parts[0]
    value = evaluate(call, module)
    return value if isinstance(value, str) else None


def _join(*parts: str | None) -> str | None:
    known = [part for part in parts if part is not None]
    return posixpath.join(*known) if known and len(known) == len(parts) else None


def _folder(path: str | None) -> str | None:
    """The folder of a path; what leads out of the project's is not known."""
    if path is None or path == ANCHOR:
        return None
    above = posixpath.dirname(path.rstrip("/"))
    return ANCHOR if above == ANCHOR.rstrip("/") else above
