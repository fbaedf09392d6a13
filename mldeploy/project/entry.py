"""Whether the app that the configuration names can be in the code, read as source: it is never imported here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from mldeploy.config.files import UnreadableError, read_text

_DYNAMIC = frozenset({"globals", "exec", "setattr", "vars", "__getattr__"})


def entry_problem(folder: Path, entry: str) -> str | None:
    """Why `module:attribute` is surely no object of the code in the folder, or None if it is, or may be."""
    module, _, attribute = entry.partition(":")
    path = module.replace(".", "/")
    files = [name for name in (f"{path}.py", f"{path}/__init__.py") if (folder / name).is_file()]
    if not files:
        return f"there is no {path}.py in {folder}"
    tree = _parsed(folder / files[0])
    if tree is None or may_bind(tree, attribute):
        return None
    return f"{files[0]} defines no `{attribute}`"


def _parsed(path: Path) -> ast.Module | None:
    """None also for source that this Python cannot parse: the image's Python may be a newer one."""
    try:
        return ast.parse(read_text(path))
    except (FileNotFoundError, UnreadableError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def may_bind(tree: ast.Module, name: str) -> bool:
    """Whether anything in the module could bind the name; when in doubt, yes."""
    return any(bound in {name, "*"} or bound in _DYNAMIC for node in ast.walk(tree) for bound in _names(node))


def _names(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Name(id=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in aliases)
        case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
            yield name
        case _:
            pass
