"""The routes of frameworks that have their own server and their own way to declare routes: aiohttp and Tornado.

Standards: https://docs.aiohttp.org/en/stable/web_quickstart.html, https://www.tornadoweb.org/en/stable/web.html
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator

from mldeploy.project.detect.routes.declared_routes import AppRoute, DeclaredRoute, list_class_routes, make_routes
from mldeploy.project.detect.source.python_source import PythonModule, call_argument

ReadPath = Callable[[ast.expr | None], str | None]
_ADDING = re.compile(r"add_(?:get|post|put|patch|delete|view)")
_TORNADO_APP = "tornado.web.Application"
_PLAIN = re.compile(r"/[\w./~-]*")


def list_aiohttp(module: PythonModule, read_path: ReadPath) -> Iterator[DeclaredRoute]:
    """`app.router.add_get("/health", f)`, `app.add_routes([web.post("/predict", f)])`."""
    if not any(name.partition(".")[0] == "aiohttp" for name, _ in module.imports):
        return
    for call in module.calls:
        name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        if not isinstance(call.func, ast.Attribute):
            continue
        if _ADDING.fullmatch(name):
            yield from _declared(module, call, call.func.value, name.removeprefix("add_"), read_path)
        elif name == "add_routes" and call.args and isinstance(call.args[0], ast.List):
            for each in call.args[0].elts:
                verb = module.called(each).removeprefix("aiohttp.web.")
                if isinstance(each, ast.Call):
                    yield from _declared(module, each, call.func.value, verb, read_path, call)


def _declared(
    module: PythonModule,
    given: ast.Call,
    owner: ast.expr,
    verb: str,
    read_path: ReadPath,
    call: ast.Call | None = None,
) -> Iterator[DeclaredRoute]:
    """The routes of a call with a path and a handler. call: the one that adds it, if it is another one."""
    path = read_path(call_argument(given, 0, "path"))
    is_known = path is not None and verb in {"get", "post", "put", "patch", "delete", "view"}
    methods = frozenset() if verb == "view" else frozenset({verb.upper()})
    for route in make_routes(module, given, path or "", methods):
        yield DeclaredRoute(owner, route, call or given, is_known)


def map_tornado(
    modules: Iterable[PythonModule], read_path: Callable[[PythonModule, ast.expr | None], str | None]
) -> tuple[tuple[AppRoute, ...], bool]:
    """The routes of the only application of the modules, and whether they are all. Patterns are regular expressions."""
    made = [(module, call) for module in modules for call in module.calls if module.called(call) == _TORNADO_APP]
    if len(made) != 1:
        return (), False
    module, call = made[0]
    given = call_argument(call, 0, "handlers")
    handlers = module.constants.get(given.id, given) if isinstance(given, ast.Name) else given
    if not isinstance(handlers, ast.List):
        return (), False
    is_changed = any(isinstance(each.func, ast.Attribute) and each.func.attr == "add_handlers" for each in module.calls)
    listed = [_tornado_routes(module, each, lambda node: read_path(module, node)) for each in handlers.elts]
    routes = tuple(route for each in listed for route in each or ())
    return routes, not is_changed and all(each is not None for each in listed)


def _tornado_routes(module: PythonModule, rule: ast.expr, read_path: ReadPath) -> list[AppRoute] | None:
    """The routes of `(r"/health", Health)` or `url(r"/health", Health)`; None if the source does not say them."""
    parts = rule.elts if isinstance(rule, ast.Tuple) else rule.args if isinstance(rule, ast.Call) else []
    if len(parts) < 2 or not isinstance(parts[1], ast.Name):
        return None
    pattern = read_path(parts[0])
    path = (pattern or "").removeprefix("^").removesuffix("$").removesuffix("/?").replace(r"\.", ".") or "/"
    handler = next((each for each in module.nodes if isinstance(each, ast.ClassDef) and each.name == parts[1].id), None)
    if pattern is None or not _PLAIN.fullmatch(path) or handler is None:
        return None
    return list(list_class_routes(module, handler, path, rule))
