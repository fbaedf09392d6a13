"""Models that the app loads from files that the folder does not have."""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Iterator

from mldeploy.project.detect.findings import Remark, Severity
from mldeploy.project.detect.handlers import is_loader
from mldeploy.project.detect.model_names import SUFFIXES
from mldeploy.project.detect.source import Module
from mldeploy.project.detect.tree import Tree

_PATTERN = frozenset("{}%*")
"""Stand for something else in a name."""
_TODO = "Train the model so that the file is there, or correct the name."


def of_module(tree: Tree, module: Module) -> Iterator[Remark]:
    """A warning for each, and no more than that: a script may fetch the file before it loads it."""
    if tree.truncated:
        return
    for call in module.calls:
        if not is_loader(call, module):
            continue
        for name in sorted({posixpath.basename(text) for text in _texts(call, module) if "://" not in text}):
            file = f"{name}.pkl" if module.called(call).startswith("pycaret.") else name
            if posixpath.splitext(file)[1].lower() in SUFFIXES and not tree.named(file):
                what = f"loads {file}, which is nowhere in the folder"
                yield Remark("model-absent", Severity.WARNING, module.at(call), what, _TODO)


def _texts(call: ast.Call, module: Module) -> Iterator[str]:
    """The strings that are handed over in a call, also in one inside of it, and through the module's constants."""
    given = [*call.args, *(each.value for each in call.keywords)]
    names = [node.id for argument in given for node in ast.walk(argument) if isinstance(node, ast.Name)]
    known = [module.constants[name] for name in names if name in module.constants]
    nodes = [node for each in (*given, *known) for node in ast.walk(each)]
    parts = {id(part) for node in nodes for part in _parts(node)}
    for node in nodes:
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and (id(node) not in parts or "/" in text) and not _PATTERN.intersection(text):
            yield text


def _parts(node: ast.AST) -> tuple[ast.expr, ...]:
    """What a text is put together from, of which no piece says the whole name."""
    match node:
        case ast.JoinedStr(values=values):
            return tuple(values)
        case ast.BinOp(left=left, op=ast.Add() | ast.Mod(), right=right):
            return (left, right)
        case _:
            return ()
