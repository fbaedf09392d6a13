"""The paths that an app answers, and what each expects: read from decorators and from Django's URL lists."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from mldeploy.project.detect.findings import Source
from mldeploy.project.detect.source import Module
from mldeploy.project.detect.static import constant, keyword

_METHODS = frozenset({"get", "post", "put", "patch", "delete"})
_HEALTH = (
    "/health",
    "/healthz",
    "/healthcheck",
    "/health-check",
    "/livez",
    "/ready",
    "/readyz",
    "/ping",
    "/status",
    "/alive",
)


class Body(StrEnum):
    """What a route reads from a request."""

    NONE = "none"
    FORM = "form"
    JSON = "json"
    TABLE = "table"
    """JSON with `columns` and `data`."""


@dataclass(frozen=True)
class Route:
    """One path. `parameters`: the path has a variable part."""

    path: str
    methods: frozenset[str]
    body: Body
    source: Source

    @property
    def has_parameters(self) -> bool:
        return any(char in self.path for char in "<{")


Handler = ast.FunctionDef | ast.AsyncFunctionDef


def routes(modules: Iterable[Module]) -> tuple[Route, ...]:
    """Every route of these modules, in the order in which they are written."""
    found: list[Route] = []
    modules = tuple(modules)
    prefixes = _prefixes(modules)
    for module in modules:
        for handler in handlers(module):
            found += _decorated(module, handler, prefixes)
        found += _listed(module)
    return tuple(sorted(found, key=lambda route: route.source))


def handlers(module: Module) -> Iterator[Handler]:
    """The functions that have a decorator."""
    for node in module.nodes:
        if isinstance(node, Handler) and node.decorator_list:
            yield node


def is_route(decorator: ast.expr, module: Module) -> bool:
    """`@app.route("/")`, `@router.post("/predict")`, Bottle's bare `@route("/")`, Dash's `@app.callback(…)`."""
    if not isinstance(decorator, ast.Call):
        return False
    if isinstance(decorator.func, ast.Attribute):
        return decorator.func.attr in _METHODS | {"route", "api_route", "callback", "websocket"}
    return module.dotted(decorator.func) in {f"bottle.{name}" for name in _METHODS | {"route"}} | {"dash.callback"}


def health(found: Iterable[Route]) -> Route | None:
    """The route that says whether the app can serve: one with a usual name, else the page at `/`."""
    readable = [route for route in found if "GET" in route.methods and not route.has_parameters]
    named = [route for route in readable if any(route.path.rstrip("/").lower().endswith(name) for name in _HEALTH)]
    front = [route for route in readable if route.path == "/"]
    return next(iter(named + front), None)


def predict(found: Iterable[Route], body: Body) -> Route | None:
    """The route that answers a prediction for this kind of body, one with "predict" in its name first."""
    takers = [route for route in found if "POST" in route.methods and route.body is body and not route.has_parameters]
    return min(takers, key=lambda route: ("predict" not in route.path, route.source), default=None)


def _prefixes(modules: Iterable[Module]) -> dict[str, str]:
    """The URL prefixes of blueprints and routers, by the name of the object. Two of one name: the last one counts."""
    found: dict[str, str] = {}
    for module in modules:
        for name, value in module.constants.items():
            if isinstance(value, ast.Call):
                prefix = constant(keyword(value, "url_prefix") or keyword(value, "prefix"), module)
                if isinstance(prefix, str):
                    found[name] = prefix
    for module in modules:
        for call in module.calls:
            if not (
                isinstance(call.func, ast.Attribute) and call.func.attr in {"register_blueprint", "include_router"}
            ):
                continue
            prefix = constant(keyword(call, "url_prefix") or keyword(call, "prefix"), module)
            name = module.dotted(call.args[0]).rpartition(".")[2] if call.args else ""
            if isinstance(prefix, str) and name:
                inner = found.get(name, "") if call.func.attr == "include_router" else ""
                found[name] = prefix + inner
    return found


def _decorated(module: Module, handler: Handler, prefixes: dict[str, str]) -> Iterator[Route]:
    for decorator in handler.decorator_list:
        if not (isinstance(decorator, ast.Call) and is_route(decorator, module)):
            continue
        path = constant(decorator.args[0] if decorator.args else keyword(decorator, "path"), module)
        if isinstance(path, str) and path.startswith("/"):
            owner = module.dotted(decorator.func).rpartition(".")[0]
            prefix = prefixes.get(owner, "")
            yield Route(prefix + path, _methods(decorator, module), _body(handler, module), module.at(decorator))


def _methods(decorator: ast.Call, module: Module) -> frozenset[str]:
    verb = decorator.func.attr if isinstance(decorator.func, ast.Attribute) else module.dotted(decorator.func)
    verb = verb.rpartition(".")[2]
    if verb in _METHODS:
        return frozenset({verb.upper()})
    given = keyword(decorator, "methods") or keyword(decorator, "method")
    names = [constant(each, module) for each in ast.walk(given)] if given else []
    return frozenset(name.upper() for name in names if isinstance(name, str)) or frozenset({"GET"})


def _body(handler: Handler, module: Module) -> Body:
    """What a handler reads, told by what it mentions: `request.form`, `request.get_json()`, a typed body."""
    if any({"columns", "data"} <= fields for fields in _typed(handler, module)):
        return Body.TABLE
    mentioned: set[str] = set()
    for node in ast.walk(handler):
        if isinstance(node, ast.Attribute):
            mentioned.add(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            mentioned.add(f'"{node.value}"')
    if {'"columns"', '"data"'} <= mentioned or (
        {"columns", "data"} <= mentioned - {"json"} and "get_json" in mentioned
    ):
        return Body.TABLE
    if {"get_json", "json", "get_data", "data", "body"} & mentioned:
        return Body.JSON
    if {"form", "forms", "values"} & mentioned or "fastapi.Form" in {module.called(each) for each in ast.walk(handler)}:
        return Body.FORM
    typed = [
        argument for argument in handler.args.args if argument.annotation and argument.arg not in {"self", "request"}
    ]
    return Body.JSON if typed else Body.NONE


def _typed(handler: Handler, module: Module) -> Iterator[set[str]]:
    """The fields of each class of the module that a handler's parameter is of: what FastAPI makes of the body."""
    types = {each.annotation.id for each in handler.args.args if isinstance(each.annotation, ast.Name)}
    for node in module.nodes:
        if isinstance(node, ast.ClassDef) and node.name in types:
            yield {
                each.target.id
                for each in node.body
                if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
            }


def _listed(module: Module) -> Iterator[Route]:
    """Django's `path("predict/", …)`, Flask's `app.add_url_rule("/predict", …)`, Starlette's `Route("/", …)`."""
    for call in module.calls:
        name = module.called(call)
        first = constant(call.args[0] if call.args else None, module)
        if not isinstance(first, str):
            continue
        if name in {"django.urls.path", "django.urls.re_path"} and not first.startswith("^"):
            if len(call.args) > 1 and not module.called(call.args[1]).endswith("include"):
                yield Route(f"/{first}", frozenset({"GET", "POST"}), Body.NONE, module.at(call))
        elif name.endswith((".add_url_rule", "starlette.routing.Route")) and first.startswith("/"):
            handler = _handed(call, module)
            body = _body(handler, module) if handler else Body.NONE
            yield Route(first, _methods(call, module), body, module.at(call))


def _handed(call: ast.Call, module: Module) -> Handler | None:
    """The function of the same module that is handed over in a call."""
    given = (*call.args, *(each.value for each in call.keywords))
    names = {each.id for each in given if isinstance(each, ast.Name)}
    return next((node for node in module.nodes if isinstance(node, Handler) and node.name in names), None)
