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
    for argument in (*call.args, *(each.value for each in call.keywords)):
        for node in ast.walk(argument):
            known = module.constants.get(node.id) if isinstance(node, ast.Name) else node
            for part in ast.walk(known) if known else ():
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield part.value
