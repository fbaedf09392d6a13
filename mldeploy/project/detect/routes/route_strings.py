"""The texts of paths and prefixes, also where another module of the folder holds them."""

from __future__ import annotations

import ast

from mldeploy.project.detect.source.python_source import PythonModule, SourceTree, assignments, evaluate

_DEPTH = 10
UNKNOWN_PART = "{}"
"""What `evaluate` makes of the unknown part of an f-string. No framework's path contains it."""


def resolve_text(node: ast.AST | None, module: PythonModule, sources: SourceTree, depth: int = _DEPTH) -> str | None:  # noqa: PLR0911 - one per form of expression
    """The text that an expression comes to, or None if the source does not say.

    Follows imports (`from settings import PREFIX`, `settings.PREFIX`) and the defaults of a settings class.
    """
    if node is None or not depth:
        return None
    match node:
        case ast.JoinedStr(values=values):
            parts = [_part(value, module, sources, depth) for value in values]
            return None if None in parts else "".join(part for part in parts if part is not None)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            first, second = (resolve_text(each, module, sources, depth - 1) for each in (left, right))
            return None if first is None or second is None else first + second
        case ast.Name(id=name) if name in module.aliases and name not in module.constants:
            return _imported_text(module.aliases[name], module, sources, depth)
        case ast.Name(id=name) if name in module.constants:
            return resolve_text(module.constants[name], module, sources, depth - 1)
        case ast.Attribute():
            return _attribute_text(node, module, sources, depth)
        case _:
            value = evaluate(node, module)
            return value if isinstance(value, str) and UNKNOWN_PART not in value else None


def _part(node: ast.expr, module: PythonModule, sources: SourceTree, depth: int) -> str | None:
    inner = node.value if isinstance(node, ast.FormattedValue) else node
    value = resolve_text(inner, module, sources, depth - 1)
    if value is None:
        known = evaluate(inner, module)
        return None if known is None else str(known)
    return value


def _imported_text(dotted: str, module: PythonModule, sources: SourceTree, depth: int) -> str | None:
    owner, name = split_owner(dotted)
    file = sources.local(owner, module) if owner else None
    below = sources.module(file.path) if file else None
    return resolve_text(ast.Name(id=name), below, sources, depth - 1) if below else None


def _attribute_text(node: ast.Attribute, module: PythonModule, sources: SourceTree, depth: int) -> str | None:
    """`settings.PREFIX`: of a module, of a class, or of an object that a class of settings makes."""
    dotted = module.dotted(node)
    if not dotted:
        return None
    if (text := _imported_text(dotted, module, sources, depth)) is not None:
        return text
    holder = find_definition(node.value, module, sources)
    if holder is None:
        return None
    owner, name = holder
    made = owner.constants.get(name)
    kind = find_definition(made.func, owner, sources) if isinstance(made, ast.Call) else holder
    return _class_default(kind, node.attr, sources, depth) if kind else None


def _class_default(holder: tuple[PythonModule, str], attribute: str, sources: SourceTree, depth: int) -> str | None:
    module, name = holder
    for each in module.nodes:
        if isinstance(each, ast.ClassDef) and each.name == name:
            for statement in each.body:
                for bound, value in assignments(statement):
                    if bound == attribute:
                        return resolve_text(value, module, sources, depth - 1)
    return None


def find_definition(
    node: ast.expr, module: PythonModule, sources: SourceTree, depth: int = _DEPTH
) -> tuple[PythonModule, str] | None:
    """The module of the folder and the name in it that a name or `module.name` means, through imports."""
    dotted = module.dotted(node)
    if not dotted or not depth:
        return None
    if "." not in dotted.lstrip("."):
        bare = dotted.lstrip(".")
        return (module, bare) if dotted == bare else None
    owner, name = split_owner(dotted)
    file = sources.local(owner, module) if owner else None
    below = sources.module(file.path) if file else None
    if below is None:
        return None
    if name in below.aliases and name not in below.constants and below is not module:
        return find_definition(ast.Name(id=name), below, sources, depth - 1)
    return below, name


def split_owner(dotted: str) -> tuple[str, str]:
    """The module and the name of `shop.routes.router`, `.routes.router` and `.router` (of the package itself)."""
    owner, _, name = dotted.rpartition(".")
    if not owner.strip("."):
        owner = dotted[: len(dotted) - len(dotted.lstrip("."))]
    return owner, name
