"""What the app that the configuration names speaks, as its own module shows it."""

from __future__ import annotations

import ast
from pathlib import Path

from mldeploy.project.entry import module_file, parsed, parts

_ASGI_PACKAGES = ("fastapi", "starlette", "quart", "litestar", "sanic", "falcon.asgi", "django.core.asgi")
"""What is called from these makes an ASGI app."""


def is_asgi(folder: Path, entry: str) -> bool:
    """Whether the module shows that it is ASGI. folder: where the app is started.

    Only that module is read: what it imports from elsewhere shows nothing.
    """
    path, name = parts(entry)
    file = module_file(folder, path)
    tree = parsed(folder / file) if file else None
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
    imported = _imported(tree)
    called = (each.func for each in ast.walk(node) if isinstance(each, ast.Call))
    names = (ast.unparse(each).partition(".") for each in called if isinstance(each, ast.Name | ast.Attribute))
    dotted = (imported.get(first, first) + joint + rest for first, joint, rest in names)
    return any(each.startswith(tuple(f"{package}." for package in _ASGI_PACKAGES)) for each in dotted)


def _imported(tree: ast.Module) -> dict[str, str]:
    """What each imported name stands for."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                found |= {alias.asname: alias.name for alias in names if alias.asname}
            case ast.ImportFrom(module=str(module), names=names, level=0):
                found |= {alias.asname or alias.name: f"{module}.{alias.name}" for alias in names}
            case _:
                pass
    return found
