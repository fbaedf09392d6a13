"""The value of an expression, as far as it is written down in the source."""

from __future__ import annotations

import ast
from typing import TypeAlias

from mldeploy.project.detect.source import Module

Constant: TypeAlias = str | int | float | bool

_ENVIRONMENT = frozenset({"os.environ.get", "os.getenv", "environ.get", "getenv", "config", "decouple.config", "env"})
_DEPTH = 12


def constant(node: ast.AST | None, module: Module, depth: int = _DEPTH) -> Constant | None:
    """The constant that an expression comes to, or None if the source alone does not say.

    An environment variable counts with its default: `int(os.environ.get("PORT", 5000))` is 5000. Names count if the
    module assigns them once. Of an f-string, what is unknown becomes `{}`.
    """
    match node if depth else None:
        case ast.Constant(value=str() | int() | float() as value):
            return value
        case ast.Name(id=name):
            return constant(module.constants.get(name), module, depth - 1)
        case ast.Call() as call:
            return _call(call, module, depth)
        case ast.expr() as compound:
            return _compound(compound, module, depth)
        case _:
            return None


def _compound(node: ast.expr, module: Module, depth: int) -> Constant | None:
    match node:
        case ast.JoinedStr(values=values):
            return "".join(_part(value, module, depth) for value in values)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _sum(constant(left, module, depth - 1), constant(right, module, depth - 1))
        case ast.BoolOp(op=ast.Or(), values=values):  # os.environ.get("PORT") or 5000
            known = (constant(value, module, depth - 1) for value in values)
            return next((value for value in known if value is not None), None)
        case _:
            return None


def _part(node: ast.expr, module: Module, depth: int) -> str:
    value = constant(node.value if isinstance(node, ast.FormattedValue) else node, module, depth - 1)
    return "{}" if value is None else str(value)


def _sum(left: Constant | None, right: Constant | None) -> Constant | None:
    if isinstance(left, str) and isinstance(right, str):
        return left + right
    if isinstance(left, str) or isinstance(right, str) or left is None or right is None:
        return None
    return left + right


def _call(node: ast.Call, module: Module, depth: int) -> Constant | None:
    name = module.dotted(node.func)
    if name in {"int", "str"} and len(node.args) == 1:
        value = constant(node.args[0], module, depth - 1)
        if name == "str":
            return None if value is None else str(value)
        try:
            return None if value is None else int(value)
        except (ValueError, OverflowError):
            return None
    if name in _ENVIRONMENT:
        default = node.args[1] if len(node.args) > 1 else keyword(node, "default")
        return constant(default, module, depth - 1)
    return None


def variable(node: ast.AST | None, module: Module) -> str:
    """The environment variable that decides an expression, directly or through one name; "" if none does."""
    if node is None:
        return ""
    behind = (module.constants.get(each.id) for each in ast.walk(node) if isinstance(each, ast.Name))
    return next((name for each in (node, *behind) if each is not None and (name := _read(each, module))), "")


def _read(node: ast.AST, module: Module) -> str:
    """The first environment variable that an expression reads itself."""
    for each in ast.walk(node):
        if isinstance(each, ast.Call) and module.dotted(each.func) in _ENVIRONMENT and each.args:
            name = constant(each.args[0], module)
        elif isinstance(each, ast.Subscript) and module.dotted(each.value) in {"os.environ", "environ"}:
            name = constant(each.slice, module)
        else:
            continue
        if isinstance(name, str):
            return name
    return ""


def keyword(node: ast.Call, name: str) -> ast.expr | None:
    """The expression given for a keyword argument, or None."""
    return next((each.value for each in node.keywords if each.arg == name), None)


def argument(node: ast.Call, position: int, name: str) -> ast.expr | None:
    """The expression given for a parameter, by keyword or by position."""
    given = keyword(node, name)
    if given is None and position < len(node.args):
        given = node.args[position]
    return given
