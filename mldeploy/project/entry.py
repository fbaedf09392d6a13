"""Checks of the configured app in its source, without importing it: the entry, its interface, and the start command."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from mldeploy.core.files import UnreadableError, read_text

_DYNAMIC = frozenset({"globals", "exec", "setattr", "vars", "__getattr__"})


def find_entry_problem(folder: Path, entry: str, roots: tuple[str, ...] = ("",)) -> str | None:
    """Return why an entry cannot exist in the code of the folder; None if it exists or may exist.

    folder: the start folder of the app. roots: the folders below it that Python imports from.
    """
    name, attribute = split_entry(entry)
    file = find_module_file(folder, name, roots)
    if file is None:
        return f"there is no {name}.py in {folder}"
    tree = parse_module(folder / file)
    if tree is None or may_bind(tree, attribute):
        return None
    return f"{file} defines no `{attribute}`"


def split_entry(entry: str) -> tuple[str, str]:
    """The path of an entry's module without its suffix, and the name of its object or function."""
    module, _, attribute = entry.partition(":")
    return module.replace(".", "/"), attribute.partition("(")[0].strip()


def import_roots(*, package: bool) -> tuple[str, ...]:
    """The folders that the app's modules are imported from, below the one in which it starts."""
    return ("", "src") if package else ("",)


def find_module_file(folder: Path, path: str, roots: tuple[str, ...] = ("",)) -> str | None:
    """The file of a module, by its path without suffix; None if it is not in the folder. Python prefers a package."""
    names = (posixpath.join(root, name) for root in roots for name in (f"{path}/__init__.py", f"{path}.py"))
    return next((name for name in names if (folder / name).is_file()), None)


def parse_module(path: Path) -> ast.Module | None:
    """Return the syntax tree of a file; None if it cannot be read or parsed.

    The Python of the image may be newer and parse it.
    """
    try:
        return ast.parse(read_text(path))
    except (FileNotFoundError, UnreadableError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def may_bind(tree: ast.Module, name: str) -> bool:
    """Whether anything in the module could bind the name; when in doubt, yes."""
    return any(bound in {name, "*"} or bound in _DYNAMIC for node in ast.walk(tree) for bound in _bound_names(node))


def _bound_names(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Name(id=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in aliases)
        case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
            yield name
        case _:
            pass


_ASGI_PACKAGES = ("fastapi", "starlette", "quart", "litestar", "sanic", "falcon.asgi", "django.core.asgi")
"""What is called from these makes an ASGI app."""


def is_asgi(folder: Path, entry: str, roots: tuple[str, ...] = ("",)) -> bool:
    """Return whether the app is ASGI according to its module. folder: the start folder of the app.

    Imported modules are not read.
    """
    path, name = split_entry(entry)
    file = find_module_file(folder, path, roots)
    tree = parse_module(folder / file) if file else None
    return tree is not None and any(_shows_asgi(tree, node, name) for node in tree.body)


def _shows_asgi(tree: ast.Module, node: ast.stmt, name: str) -> bool:
    """Whether a statement binds the name to an ASGI app, or to a function that makes one."""
    match node:
        case ast.AsyncFunctionDef():
            return node.name == name
        case ast.FunctionDef():
            return node.name == name and _calls_asgi(tree, node)
        case ast.Assign(targets=targets):
            return any(isinstance(each, ast.Name) and each.id == name for each in targets) and _calls_asgi(tree, node)
        case ast.AnnAssign(target=ast.Name(id=bound)):
            return bound == name and _calls_asgi(tree, node)
        case _:
            return False


def _calls_asgi(tree: ast.Module, node: ast.stmt) -> bool:
    """Whether it calls anything of a package whose apps are ASGI."""
    imported = _import_aliases(tree)
    called = (each.func for each in ast.walk(node) if isinstance(each, ast.Call))
    names = (ast.unparse(each).partition(".") for each in called if isinstance(each, ast.Name | ast.Attribute))
    dotted = (imported.get(first, first) + joint + rest for first, joint, rest in names)
    return any(each.startswith(tuple(f"{package}." for package in _ASGI_PACKAGES)) for each in dotted)


def _import_aliases(tree: ast.Module) -> dict[str, str]:
    """What each imported name stands for."""
    aliases: dict[str, str] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                aliases |= {alias.asname: alias.name for alias in names if alias.asname}
            case ast.ImportFrom(module=str(module), names=names, level=0):
                aliases |= {alias.asname or alias.name: f"{module}.{alias.name}" for alias in names}
            case _:
                pass
    return aliases


_SERVE = 'Remove app.command and set `entry = "app:app"`. mldeploy serves it with gunicorn.'
_DEVELOPMENT = (
    (r"(?<![^\s/])flask\s(?:.*\s)?run(?!\S)", "Flask's development server", _SERVE),
    (
        r"(?<![^\s/])(?:manage\.py|django-admin|django)\s(?:.*\s)?runserver(?!\S)",
        "Django's development server",
        _SERVE.replace("app:app", "mysite.wsgi:application"),
    ),
    (r"(?<![^\s/])fastapi\s(?:.*\s)?dev(?!\S)", "FastAPI's development server", _SERVE),
    (r"\s--(?:reload|debug)(?!\S)", "a server in reload or debug mode", "Remove the option."),
    (r"\shttp\.server(?!\S)", "the file server of Python, which is not for production", _SERVE),
)
"""What a command looks like, what it starts, and what to do instead."""
_MAKERS = frozenset({"Flask", "APIFlask", "Dash", "Bottle"})


def find_command_problem(folder: Path, words: tuple[str, ...]) -> tuple[str, str] | None:
    """Return a problem of a start command (a development server) and its remedy; None if there is none.

    folder: the start folder.
    """
    line = " ".join(words)
    for pattern, what, todo in _DEVELOPMENT:
        if re.search(pattern, line):
            return f"starts {what}", todo
    script = next((word for word in words if word.endswith(".py")), None)
    if script and _runs_itself(folder / script):
        return f"runs {script}, which starts its framework's development server", _SERVE
    return None


def _runs_itself(script: Path) -> bool:
    """Whether a script makes an app and calls `run` on it."""
    tree = parse_module(script)
    nodes = list(ast.walk(tree)) if tree else []
    apps = {
        target.id
        for node in nodes
        if isinstance(node, ast.Assign) and _last_name(node.value) in _MAKERS
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"run", "run_server"}
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in apps
        for node in nodes
    )


def _last_name(node: ast.expr) -> str:
    """`Flask` of `Flask(…)` and of `flask.Flask(…)`; "" of what is no call."""
    called = node.func if isinstance(node, ast.Call) else None
    return called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""
