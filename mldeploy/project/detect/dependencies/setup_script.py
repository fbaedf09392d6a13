"""The `install_requires` of a setup.py, read without running it."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_CHANGING = frozenset({"append", "extend", "insert", "remove", "pop", "clear", "update"})
_DEPTH = 20


@dataclass(frozen=True)
class InstallRequires:
    """texts: the requirements that are written down. computed: the line of what is not, 0 if all of it is."""

    texts: tuple[str, ...] = ()
    computed: int = 0


def read_install_requires(text: str) -> InstallRequires:
    """Read the source of a setup.py. Follows names, and lists that are joined with `+`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            nodes = tuple(ast.walk(ast.parse(text)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return InstallRequires()
    values = _values(nodes)
    given = list(_given(nodes, values))
    parts = [part for node in given for part in _parts(node, values)]
    texts = tuple(each.value for each in parts if isinstance(each, ast.Constant) and isinstance(each.value, str))
    computed = next((each for each in parts if not isinstance(each, ast.Constant)), None)
    return InstallRequires(tuple(dict.fromkeys(texts)), getattr(computed, "lineno", 0))


def _given(nodes: tuple[ast.AST, ...], values: Mapping[str, ast.expr]) -> list[ast.expr]:
    """What `install_requires` is: an argument of `setup`, or an item of the dictionary that it is given."""
    named = [value for node in nodes for value in _named(node)]
    if named:
        return named
    setups = [node for node in nodes if isinstance(node, ast.Call) and _last_name(node.func) == "setup"]
    dictionaries = [each.value for call in setups for each in call.keywords if each.arg is None]
    # setup(**load()) may hold anything; a dictionary that is written down was looked at.
    return [each for each in dictionaries if not _is_dictionary(_follow(each, values))]


def _named(node: ast.AST) -> Iterator[ast.expr]:
    match node:
        case ast.keyword(arg="install_requires", value=value):
            yield value
        case ast.Dict(keys=keys, values=values):
            for key, value in zip(keys, values, strict=True):
                if isinstance(key, ast.Constant) and key.value == "install_requires":
                    yield value
        case ast.Assign(targets=targets, value=value) if any(_is_item(each) for each in targets):
            yield value


def _is_dictionary(node: ast.expr) -> bool:
    return isinstance(node, ast.Dict) or (isinstance(node, ast.Call) and _last_name(node.func) == "dict")


def _is_item(target: ast.expr) -> bool:
    """`config["install_requires"] = …`"""
    key = target.slice if isinstance(target, ast.Subscript) else None
    return isinstance(key, ast.Constant) and key.value == "install_requires"


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _values(nodes: tuple[ast.AST, ...]) -> dict[str, ast.expr]:
    """The values of names that are assigned once, and not changed afterwards."""
    assigned: dict[str, list[ast.expr]] = {}
    changed: set[str] = set()
    for node in nodes:
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    if isinstance(target, ast.Name):
                        assigned.setdefault(target.id, []).append(value)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                assigned.setdefault(name, []).append(value)
            case ast.AugAssign(target=ast.Name(id=name)):
                changed.add(name)
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attribute)) if attribute in _CHANGING:
                changed.add(name)
            case ast.For(target=ast.Name(id=name)) | ast.Delete(targets=[ast.Subscript(value=ast.Name(id=name))]):
                changed.add(name)
    return {name: each[0] for name, each in assigned.items() if len(each) == 1 and name not in changed}


def _follow(node: ast.expr, values: Mapping[str, ast.expr]) -> ast.expr:
    for _ in range(_DEPTH):
        if not isinstance(node, ast.Name) or node.id not in values:
            break
        node = values[node.id]
    return node


def _parts(node: ast.expr, values: Mapping[str, ast.expr], depth: int = _DEPTH) -> Iterator[ast.expr]:
    """The requirements of a list as constants, and each other expression that decides of it."""
    followed = _follow(node, values)
    match followed:
        case _ if not depth:
            yield node
        case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
            for each in elements:
                yield from _parts(each.value if isinstance(each, ast.Starred) else each, values, depth - 1)
        case ast.BinOp(left=left, op=ast.Add(), right=right) if not _is_text(left, values):
            yield from _parts(left, values, depth - 1)
            yield from _parts(right, values, depth - 1)
        case ast.Call(func=ast.Name(id="list" | "tuple" | "sorted"), args=[inner], keywords=[]):
            yield from _parts(inner, values, depth - 1)
        case ast.Constant(value=str() as text):
            yield from (ast.Constant(line.strip()) for line in text.splitlines())
        case ast.Constant():
            return
        case _:
            yield followed if hasattr(followed, "lineno") else node


def _is_text(node: ast.expr, values: Mapping[str, ast.expr]) -> bool:
    followed = _follow(node, values)
    return isinstance(followed, ast.JoinedStr) or (
        isinstance(followed, ast.Constant) and isinstance(followed.value, str)
    )
