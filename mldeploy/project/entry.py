"""Whether the app that the configuration names can be in the code, read as source: it is never imported here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from mldeploy.config.files import UnreadableError, read_text

_DYNAMIC = frozenset({"globals", "exec", "setattr", "vars", "__getattr__"})


def entry_problem(folder: Path, entry: str) -> str | None:
    """Why an entry is surely no object or function of the code in the folder, or None if it is, or may be.

    Seen from the folder in which the app is started.
    """
    name, attribute = parts(entry)
    file = module_file(folder, name)
    if file is None:
        return f"there is no {name}.py in {folder}"
    tree = parsed(folder / file)
    if tree is None or may_bind(tree, attribute):
        return None
    return f"{file} defines no `{attribute}`"


def parts(entry: str) -> tuple[str, str]:
    """The path of an entry's module without its suffix, and the name of its object or function."""
    module, _, attribute = entry.partition(":")
    return module.replace(".", "/"), attribute.partition("(")[0].strip()


def module_file(folder: Path, path: str) -> str | None:
    """The file of a module, by its path without suffix; None if it is not in the folder."""
    return next((name for name in (f"{path}.py", f"{path}/__init__.py") if (folder / name).is_file()), None)


def parsed(path: Path) -> ast.Module | None:
    """The syntax tree of a file, None if there is none to be had.

    Also of source that this Python cannot parse: the image's Python may be a newer one.
    """
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
