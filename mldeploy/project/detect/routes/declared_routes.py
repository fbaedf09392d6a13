"""The routes that a module declares, and what their handlers read from a request."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from mldeploy.project.detect.findings import Source
from mldeploy.project.detect.routes.guards import is_guarded
from mldeploy.project.detect.source.python_source import PythonModule, call_argument, evaluate, keyword_argument

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


MOVING = frozenset({"version", "version_prefix", "host", "subdomain"})
"""Arguments of a route or a blueprint that move it to another path or host (Sanic, Flask)."""


class Body(StrEnum):
    """What a route reads from a request."""

    NONE = "none"
    FORM = "form"
    JSON = "json"
    TABLE = "table"
    """JSON with `columns` and `data`."""


@dataclass(frozen=True)
class AppRoute:
    """One path. guarded: it answers only a request that carries more than its path."""

    path: str
    methods: frozenset[str]
    body: Body
    source: Source
    guarded: bool = False

    @property
    def has_parameters(self) -> bool:
        return any(char in self.path for char in "<{")


Handler = ast.FunctionDef | ast.AsyncFunctionDef


def is_route(decorator: ast.expr, module: PythonModule) -> bool:
    """`@app.route("/")`, `@router.post("/predict")`, Bottle's bare `@route("/")`, Dash's `@app.callback(…)`."""
    if not isinstance(decorator, ast.Call):
        return False
    if isinstance(decorator.func, ast.Attribute):
        return decorator.func.attr in _METHODS | {"route", "api_route", "callback", "websocket"}
    return module.dotted(decorator.func) in {f"bottle.{name}" for name in _METHODS | {"route"}} | {"dash.callback"}


def choose_health(routes: Iterable[AppRoute]) -> AppRoute | None:
    """The route that says whether the app can serve: one with a usual name, else the page at `/`."""
    readable = [route for route in routes if "GET" in route.methods and not route.has_parameters and not route.guarded]
    named = [route for route in readable if any(route.path.rstrip("/").lower().endswith(name) for name in _HEALTH)]
    front = [route for route in readable if route.path == "/"]
    return next(iter(named + front), None)


def choose_predict(routes: Iterable[AppRoute], body: Body) -> AppRoute | None:
    """The route that answers a prediction for this kind of body, one with "predict" in its name first."""
    routes = tuple(routes)
    takers = [route for route in routes if "POST" in route.methods and route.body is body and not route.has_parameters]
    best = min(takers, key=lambda route: ("predict" not in route.path, route.source), default=None)
    return best or (_choose_page(routes) if body is Body.JSON else None)


def _choose_page(routes: Iterable[AppRoute]) -> AppRoute | None:
    """A page that takes its values from the query."""
    pages = [route for route in routes if route.methods == {"GET"} and not route.has_parameters]
    return next((route for route in pages if "predict" in route.path.rpartition("/")[2]), None)


@dataclass(frozen=True)
class DeclaredRoute:
    """A route as a module declares it. owner: the object that it is declared on, None for Bottle's default app.

    call: what declares it. is_known: the source says its path.
    """

    owner: ast.expr | None
    route: AppRoute
    call: ast.Call
    is_known: bool


def list_declared(
    module: PythonModule,
    read_path: Callable[[ast.expr | None], str | None],
    list_turns: Callable[[ast.Call], Iterable[ast.Call]],
) -> Iterator[DeclaredRoute]:
    """The routes that a module declares, with paths below those of their owners. read_path: the text of a path.

    list_turns: a call as each turn of the loops around it makes it. A path that the source does not say is "".
    """
    for node in module.nodes:
        if isinstance(node, Handler | ast.ClassDef):
            yield from _decorated(module, node, read_path)
    for call in module.calls:
        if isinstance(call.func, ast.Attribute) and call.func.attr in _REGISTERED:
            for turn in list_turns(call):
                yield from (replace(each, call=call) for each in _registered(module, turn, read_path))


def _decorated(
    module: PythonModule, node: Handler | ast.ClassDef, read_path: Callable[[ast.expr | None], str | None]
) -> Iterator[DeclaredRoute]:
    for decorator in node.decorator_list:
        if not (isinstance(decorator, ast.Call) and is_route(decorator, module)):
            continue
        if isinstance(decorator.func, ast.Attribute) and decorator.func.attr in {"callback", "websocket"}:
            continue
        owner = decorator.func.value if isinstance(decorator.func, ast.Attribute) else None
        given = read_path(decorator.args[0] if decorator.args else keyword_argument(decorator, "path"))
        path, is_known = given or "", given is not None and not any(each.arg in MOVING for each in decorator.keywords)
        if isinstance(node, ast.ClassDef):
            for each in list_class_routes(module, node, path, decorator):
                yield DeclaredRoute(owner, each, decorator, is_known)
        else:
            guarded = is_guarded(node, decorator, module)
            route = AppRoute(path, _methods(decorator, module), _body(node, module), module.at(decorator), guarded)
            yield DeclaredRoute(owner, route, decorator, is_known)


def list_class_routes(module: PythonModule, node: ast.ClassDef, path: str, at: ast.AST) -> Iterator[AppRoute]:
    """flask-restx's resources, flask-restful's and Flask's views by class: a method for each HTTP method."""
    for each in node.body:
        if isinstance(each, Handler) and each.name in _METHODS:
            yield AppRoute(path, frozenset({each.name.upper()}), _body(each, module), module.at(at))


def _methods(decorator: ast.Call, module: PythonModule) -> frozenset[str]:
    verb = decorator.func.attr if isinstance(decorator.func, ast.Attribute) else module.dotted(decorator.func)
    verb = verb.rpartition(".")[2]
    if verb in _METHODS:
        return frozenset({verb.upper()})
    given = keyword_argument(decorator, "methods") or keyword_argument(decorator, "method")
    names = [evaluate(each, module) for each in ast.walk(given)] if given else []
    return frozenset(name.upper() for name in names if isinstance(name, str)) or frozenset({"GET"})


def _body(handler: Handler, module: PythonModule) -> Body:
    """Detect the body from the names that a handler uses: `request.form`, `request.get_json()`, a typed body."""
    if any({"columns", "data"} <= fields for fields in _body_fields(handler, module)) or _reads_split(handler, module):
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
    arguments = [each for each in handler.args.args if each.annotation and each.arg not in {"self", "request"}]
    kinds = [{node.id for node in ast.walk(each) if isinstance(node, ast.Name)} for each in arguments]
    if any({"UploadFile", "File", "Form"} & names for names in kinds):
        return Body.FORM
    return Body.JSON if any(names - _SCALARS for names in kinds) else Body.NONE


_SCALARS = frozenset({"int", "float", "str", "bool", "Optional", "Annotated", "Query", "Path", "Header", "Request",
                      "Response", "Depends", "BackgroundTasks", "Union", "None"})  # fmt: skip
"""Annotations of what FastAPI takes from the path, the query or the headers."""


def _reads_split(handler: Handler, module: PythonModule) -> bool:
    """`pandas.read_json(…, orient="split")`: a table of columns and data."""
    return any(
        isinstance(node, ast.Call)
        and module.called(node).endswith("read_json")
        and evaluate(keyword_argument(node, "orient"), module) == "split"
        for node in ast.walk(handler)
    )


def _body_fields(handler: Handler, module: PythonModule) -> Iterator[set[str]]:
    """The fields of each class of the module that a handler's parameter is of: what FastAPI makes of the body."""
    types = {each.annotation.id for each in handler.args.args if isinstance(each.annotation, ast.Name)}
    for node in module.nodes:
        if isinstance(node, ast.ClassDef) and node.name in types:
            yield {
                each.target.id
                for each in node.body
                if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
            }


_REGISTERED = frozenset({"add_url_rule", "add_api_route", "add_route", "add_resource"})


def _registered(
    module: PythonModule, call: ast.Call, read_path: Callable[[ast.expr | None], str | None]
) -> Iterator[DeclaredRoute]:
    """`app.add_url_rule("/predict", …)`, `app.add_api_route(…)`, flask-restful's `api.add_resource(Class, "/a")`."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    if name in _REGISTERED and isinstance(call.func, ast.Attribute):
        paths = (
            call.args[1:] if name == "add_resource" else [call_argument(call, 0, "rule" if "url" in name else "path")]
        )
        for given in paths:
            path = read_path(given)
            for each in _handled(module, call, path or ""):
                yield DeclaredRoute(call.func.value, each, call, path is not None)


def list_starlette(
    module: PythonModule, routes: ast.expr, read_path: Callable[[ast.expr | None], str | None], prefix: str = ""
) -> Iterator[AppRoute]:
    """The routes of `routes=[Route("/", …), Mount("/api", routes=[…])]`, with their whole paths."""
    listed = module.constants.get(routes.id, routes) if isinstance(routes, ast.Name) else routes
    for each in listed.elts if isinstance(listed, ast.List) else ():
        kind = module.called(each).rpartition(".")[2]
        path = read_path(call_argument(each, 0, "path")) if isinstance(each, ast.Call) else None
        if not isinstance(each, ast.Call) or path is None:
            continue
        if kind in {"Route", "APIRoute"}:
            yield from _handled(module, each, prefix + path)
        elif kind == "Mount" and (inner := keyword_argument(each, "routes")) is not None:
            yield from list_starlette(module, inner, read_path, prefix + path.rstrip("/"))


def _handled(module: PythonModule, call: ast.Call, path: str) -> Iterator[AppRoute]:
    """The routes of a call that is given a path and a function or a class."""
    yield from make_routes(module, call, path, _methods(call, module))


def make_routes(module: PythonModule, call: ast.Call, path: str, methods: frozenset[str]) -> Iterator[AppRoute]:
    """The routes at a path, with these methods, or with those of the class that a call is given."""
    given = (*call.args, *(each.value for each in call.keywords))
    names = {each.id for argument in given for each in ast.walk(argument) if isinstance(each, ast.Name)}
    for node in module.nodes:
        if isinstance(node, ast.ClassDef) and node.name in names:
            yield from list_class_routes(module, node, path, call)
            return
    handler = next((node for node in module.nodes if isinstance(node, Handler) and node.name in names), None)
    body = _body(handler, module) if handler else Body.NONE
    yield AppRoute(path, methods, body, module.at(call))
