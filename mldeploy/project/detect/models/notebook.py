"""What a notebook says of the model that it trains: where it saves it, what it reads, which columns it trains on.

The cells are parsed, never run. https://nbformat.readthedocs.io/en/latest/format_description.html
"""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mldeploy.core.files import STATE_LIMIT, UnreadableError, read_text
from mldeploy.project.detect.documents import list_at, load_json, text_at
from mldeploy.project.errors import ProjectError, printable_path

_SAVERS = {
    "joblib.dump": 1, "pickle.dump": 1, "cloudpickle.dump": 1, "dill.dump": 1, "skops.io.dump": 1, "dump": 1,
    "torch.jit.save": 1, "torch.export.save": 1, "torch.save": 1, "onnx.save": 1,
}  # fmt: skip
"""Functions that save a model, and which argument names the file."""
_METHODS = ("save_model", "save", "to_pickle")
_READERS = ("read_csv",)
_NOT_MODELS = (".csv", ".png", ".parquet", ".xlsx", ".html", ".pdf", ".svg", ".jpg", ".npy", ".npz")


@dataclass(frozen=True)
class NotebookModel:
    """A model that a notebook saves. path: below the project folder. cell: its number, from 1.

    sources: the CSV files that the notebook reads, in its order. columns: those that it trains on, as far as they show.
    """

    path: str
    cell: int
    sources: tuple[str, ...]
    columns: tuple[str, ...]


def read_notebook(folder: Path, name: str) -> NotebookModel:
    """Return the last model that a notebook saves. Raises ProjectError."""
    path = folder / name
    cells = [(number, tree) for number, text in _code_cells(path) if (tree := _parse(text))]
    saved = [(found, number) for number, tree in cells for found in _saved_files(tree)]
    if not saved:
        what = "has no cell that saves a model"
        raise ProjectError(printable_path(path), what, 'Add one: `joblib.dump(model, "model.joblib")`, and run it.')
    target, cell = saved[-1]
    below = posixpath.dirname(name)
    sources = tuple(dict.fromkeys(_join(below, each) for _, tree in cells for each in _read_files(tree)))
    columns = next((found for _, tree in reversed(cells) if (found := _columns(tree))), ())
    return NotebookModel(_join(below, target), cell, sources, columns)


def _code_cells(path: Path) -> Iterator[tuple[int, str]]:
    try:
        document = load_json(read_text(path, limit=STATE_LIMIT))
    except FileNotFoundError as error:
        raise ProjectError(printable_path(path), "there is no such file", "Name a notebook.") from error
    except UnreadableError as error:
        raise ProjectError(printable_path(path), error.what, "Name a notebook.") from error
    cells = list_at(document, "cells")
    if not cells:
        raise ProjectError(printable_path(path), "is no notebook with cells", "Name a notebook of Jupyter, version 4.")
    for number, cell in enumerate(cells, start=1):
        if text_at(cell, "cell_type") == "code":
            source = list_at(cell, "source")
            yield number, "".join(map(str, source)) if source else text_at(cell, "source")


def _parse(text: str) -> ast.Module | None:
    """Parse a cell without its magics and shell commands."""
    lines = ("" if line.lstrip().startswith(("%", "!", "?")) else line for line in text.splitlines())
    try:
        return ast.parse("\n".join(lines))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Yield the calls in the order of the source, each with its dotted name."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    for call in sorted(calls, key=lambda each: (each.lineno, each.col_offset)):
        if isinstance(call.func, ast.Name | ast.Attribute):
            yield ast.unparse(call.func), call


def _saved_files(tree: ast.Module) -> Iterator[str]:
    opened = dict(_opened_files(tree))
    for name, call in _calls(tree):
        position = _SAVERS.get(name, 0 if name.rpartition(".")[2] in _METHODS and "." in name else -1)
        if position < 0 or len(call.args) <= position:
            continue
        argument = call.args[position]
        path = _text(argument) or (opened.get(argument.id, "") if isinstance(argument, ast.Name) else "")
        path = path or _opened_path(argument)
        if path and not path.endswith(_NOT_MODELS):
            yield path


def _opened_files(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield the names of `with open("model.pkl", "wb") as file` and their paths."""
    for node in ast.walk(tree):
        for item in node.items if isinstance(node, ast.With) else ():
            if isinstance(item.optional_vars, ast.Name) and (path := _opened_path(item.context_expr)):
                yield item.optional_vars.id, path


def _opened_path(node: ast.expr) -> str:
    is_open = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open"
    return _text(node.args[0]) if is_open and isinstance(node, ast.Call) and node.args else ""


def _read_files(tree: ast.Module) -> Iterator[str]:
    for name, call in _calls(tree):
        if name.rpartition(".")[2] in _READERS and call.args and (path := _text(call.args[0])) and "://" not in path:
            yield path


def _columns(tree: ast.Module) -> tuple[str, ...]:
    """Return the columns of `X = table[["a", "b"]]`, or of a list that is named like one."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)):
            continue
        name = node.targets[0].id
        value = node.value.slice if isinstance(node.value, ast.Subscript) else node.value
        is_features = name in {"X", "features", "feature_names", "feature_columns", "feature_cols", "columns"}
        if is_features and isinstance(value, ast.List) and value.elts:
            texts = [_text(each) for each in value.elts]
            if all(texts):
                return tuple(texts)
    return ()


def _text(node: ast.expr) -> str:
    """Return a literal text, also one in `Path("…")`."""
    if isinstance(node, ast.Call) and ast.unparse(node.func) in {"Path", "pathlib.Path", "str"} and node.args:
        return _text(node.args[0])
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _join(folder: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(folder, path))
