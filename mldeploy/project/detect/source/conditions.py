"""Which calls surely run when the app is loaded.

A call in a branch, in a loop over what the source does not say, or in a function that nothing calls, may not run.
"""

from __future__ import annotations

import ast
import copy
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from mldeploy.project.detect.frameworks import MAKERS
from mldeploy.project.detect.routes.route_strings import find_definition
from mldeploy.project.detect.source.python_source import (
    PythonModule,
    SourceTree,
    assignments,
    call_argument,
    is_main_guard,
)

Function = ast.FunctionDef | ast.AsyncFunctionDef
Place = tuple[PythonModule, ast.expr]
"""An expression, and the module in which its names have their meaning."""
AnyNode = TypeVar("AnyNode", bound=ast.AST)
_DEPTH = 6
_MAX_TURNS = 64


@dataclass(frozen=True)
class CallSite:
    """Where a call stands. conditional: in a branch, or in a loop whose turns the source does not say.

    function: the innermost one around it. turns: for each turn of the loops around it, the values of their names.
    """

    conditional: bool = False
    function: Function | None = None
    turns: tuple[Mapping[str, ast.expr], ...] = ({},)


class CallSites:
    """The sites of all calls of a module."""

    def __init__(self, module: PythonModule) -> None:
        self._module = module
        self._sites: dict[int, CallSite] = {}
        self._is_script = any(name.partition(".")[0] == "aiohttp" for name, _ in module.imports)
        self._returns = sorted(each.lineno for each in module.nodes if isinstance(each, ast.Return))
        jumps = (ast.Return, ast.Continue, ast.Break)
        self._jumps = sorted(each.lineno for each in module.nodes if isinstance(each, jumps))
        self._pending: list[tuple[list[ast.stmt], CallSite]] = [(module.tree.body, CallSite())]
        while self._pending:  # a stack of its own: a file of someone else's may be nested deeply
            self._read_body(*self._pending.pop())

    def of(self, call: ast.Call) -> CallSite:
        return self._sites.get(id(call), CallSite(conditional=True))

    def _read_body(self, body: list[ast.stmt], site: CallSite) -> None:
        for node in body:
            self._read_statement(node, site)
            if self._may_leave(node):
                site = replace(site, conditional=True)

    def _may_leave(self, node: ast.stmt) -> bool:
        """Whether what follows may be skipped: `if not enabled: return app`. A statement that raises ends the app."""
        if not isinstance(node, ast.If | ast.For | ast.AsyncFor | ast.While | ast.Try | ast.With | ast.Match):
            return False
        lines = self._returns if isinstance(node, ast.For | ast.AsyncFor | ast.While) else self._jumps
        at = bisect_left(lines, node.lineno)
        return at < len(lines) and lines[at] <= (node.end_lineno or node.lineno)

    def _read_statement(self, node: ast.stmt, site: CallSite) -> None:
        branch = replace(site, conditional=True)
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._pending.append((node.body, CallSite(site.conditional, node)))
                self._read_expressions([*node.decorator_list, node.args], site)
            case ast.ClassDef(body=body):
                self._pending.append((body, site))
                self._read_expressions([*node.decorator_list, *node.bases, *node.keywords], site)
            case ast.If(test=test, body=body, orelse=orelse):
                known = True if self._is_script and is_main_guard(node) else _truth(test, self._module)
                self._read_expressions([test], site)
                self._pending += [(body, site if known else branch), (orelse, site if known is False else branch)]
            case ast.For(target=target, iter=given, body=body, orelse=orelse):
                self._read_expressions([given], site)
                turns = list_turns(target, given, self._module)
                self._pending += [(body, _inside_loop(site, turns)), (orelse, site)]
            case ast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=final):
                caught = all(isinstance(each.body[-1], ast.Raise) for each in handlers)
                self._pending += [(body, site if caught else branch), (orelse, site if caught else branch)]
                self._pending += [(final, site), *((each.body, branch) for each in handlers)]
            case ast.With(items=items, body=body) | ast.AsyncWith(items=items, body=body):
                self._read_expressions(items, site)
                self._pending.append((body, site))
            case _:
                inner = [each for each in ast.iter_child_nodes(node) if isinstance(each, ast.expr)]
                self._read_expressions(inner, site)
                self._pending += [(below, branch) for below in _bodies(node)]

    def _read_expressions(self, expressions: Iterable[ast.AST], site: CallSite) -> None:
        nodes = [each for expression in expressions for each in ast.walk(expression)]
        sites = {id(each): site for each in nodes if isinstance(each, ast.Call)}
        for each in nodes:
            for part, changed in _conditional_parts(each, site, self._module):
                sites |= {id(below): changed for below in ast.walk(part) if isinstance(below, ast.Call)}
        self._sites |= sites


def _bodies(node: ast.stmt) -> Iterator[list[ast.stmt]]:
    """The bodies of a compound statement of another kind: `while`, `match`, `async for`."""
    for holder in (node, *(node.cases if isinstance(node, ast.Match) else ())):
        for name in ("body", "orelse", "finalbody"):
            if isinstance(below := getattr(holder, name, None), list):
                yield below
    for each in getattr(node, "handlers", ()):
        yield each.body


def _truth(test: ast.expr, module: PythonModule) -> bool | None:
    """What a condition comes to, if it is written down: `if True:`, `DEBUG = False` and `if DEBUG:`."""
    node = module.constants.get(test.id, test) if isinstance(test, ast.Name) else test
    return bool(node.value) if isinstance(node, ast.Constant) else None


def _conditional_parts(node: ast.AST, site: CallSite, module: PythonModule) -> Iterator[tuple[ast.AST, CallSite]]:
    """The parts of an expression that may not be evaluated, or are evaluated in turns."""
    branch = replace(site, conditional=True)
    match node:
        case ast.BoolOp(values=[_, *later]):
            yield from ((each, branch) for each in later)
        case ast.IfExp(body=body, orelse=orelse):
            yield from ((body, branch), (orelse, branch))
        case ast.Lambda(body=body):
            yield body, branch
        case ast.ListComp(elt=inner, generators=[only]) | ast.SetComp(elt=inner, generators=[only]) if not only.ifs:
            yield inner, _inside_loop(site, list_turns(only.target, only.iter, module))
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            yield node, branch


def _inside_loop(site: CallSite, turns: list[dict[str, ast.expr]] | None) -> CallSite:
    if not turns or len(site.turns) * len(turns) > _MAX_TURNS:
        return replace(site, conditional=True)
    return replace(site, turns=tuple({**outer, **inner} for outer in site.turns for inner in turns))


def list_turns(target: ast.expr, given: ast.expr, module: PythonModule) -> list[dict[str, ast.expr]] | None:
    """The values that the names of a loop have in each of its turns; None if the source does not say.

    `for router in (a.router, b.router)`, `for path, router in ROUTERS.items()` with a literal `ROUTERS`.
    """
    if isinstance(given, ast.Call) and isinstance(given.func, ast.Attribute) and given.func.attr == "items":
        table = _literal(given.func.value, module)
        pairs = zip(table.keys, table.values, strict=True) if isinstance(table, ast.Dict) else ()
        elements: list[ast.expr] = [ast.Tuple([key, value], ast.Load()) for key, value in pairs if key is not None]
    else:
        listed = _literal(given, module)
        elements = listed.elts if isinstance(listed, ast.List | ast.Tuple) else []
    turns = [_bind(target, each) for each in elements]
    known = [each for each in turns if each is not None]
    return known if known and len(known) == len(turns) else None


def _literal(node: ast.expr, module: PythonModule) -> ast.expr:
    return module.constants.get(node.id, node) if isinstance(node, ast.Name) else node


def _bind(target: ast.expr, value: ast.expr) -> dict[str, ast.expr] | None:
    if isinstance(value, ast.Starred):
        return None
    if isinstance(target, ast.Name):
        return {target.id: value}
    if not isinstance(target, ast.Tuple) or not isinstance(value, ast.Tuple | ast.List):
        return None
    if len(target.elts) != len(value.elts) or not all(isinstance(each, ast.Name) for each in target.elts):
        return None
    return {each.id: below for each, below in zip(target.elts, value.elts, strict=True) if isinstance(each, ast.Name)}


class _Substitution(ast.NodeTransformer):
    def __init__(self, values: Mapping[str, ast.expr]) -> None:
        self.values = values

    def generic_visit(self, node: AnyNode) -> AnyNode:
        super().generic_visit(node)
        return node

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.values.get(node.id, node)


class AppLoading:
    """What the modules of an app do when it is loaded."""

    def __init__(self, sources: SourceTree, modules: Iterable[PythonModule]) -> None:
        self._sources = sources
        self._sites = {module: CallSites(module) for module in modules}

    def list_turns(self, module: PythonModule, call: ast.Call) -> Iterator[ast.Call]:
        """The call as each turn of the loops around it makes it."""
        for values in self._sites[module].of(call).turns:
            try:
                yield _Substitution(values).generic_visit(copy.deepcopy(call)) if values else call
            except RecursionError:  # an expression of a thousand levels
                return

    def find_owners(self, module: PythonModule, call: ast.Call, owner: ast.expr, depth: int = _DEPTH) -> list[Place]:
        """What the owner of a call surely is, also where it is a parameter of the function around the call.

        Empty if the call may not run. An owner that the function makes itself is served only if the function runs.
        """
        site = self._sites[module].of(call)
        if site.conditional or not depth:
            return []
        name = _root(owner)
        function = site.function
        if function is None or name in _made_in(function):
            return [(module, owner)]
        position = next((at for at, each in enumerate(function.args.args) if each.arg == name), None)
        if position is None:
            return [(module, owner)] if self._runs(module, site, depth) else []
        if not isinstance(owner, ast.Name):
            return []
        callers = self._find_callers(module, function, depth)
        given = [(below, each, call_argument(each, position, name)) for below, each in callers]
        return [
            place
            for below, each, argument in given
            if argument is not None
            for place in self.find_owners(below, each, argument, depth - 1)
        ]

    def _find_callers(
        self, module: PythonModule, function: Function, depth: int
    ) -> list[tuple[PythonModule, ast.Call]]:
        """The calls of a function that surely run."""
        return [
            (below, call)
            for below, sites in self._sites.items()
            for call in below.calls
            if below.called(call).rpartition(".")[2] == function.name
            and find_definition(call.func, below, self._sources) == (module, function.name)
            and self._runs(below, sites.of(call), depth - 1)
        ]

    def _runs(self, module: PythonModule, site: CallSite, depth: int) -> bool:
        if site.conditional or not depth:
            return False
        function = site.function
        if function is None or any(module.called(each) in MAKERS for each in ast.walk(function)):
            return True  # a function that makes an app runs if its app is served
        return bool(self._find_callers(module, function, depth))


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _made_in(function: Function) -> set[str]:
    nodes = (each for each in ast.walk(function) if isinstance(each, ast.stmt))
    return {name for node in nodes for name, _ in assignments(node)}
