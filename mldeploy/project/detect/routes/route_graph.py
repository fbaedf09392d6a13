"""Which router is included where: objects of the source, told apart by module and name, and their prefixes.

What the source alone does not decide is left out, and makes the graph incomplete: nothing is claimed of it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mldeploy.project.detect.routes.declared_routes import MOVING
from mldeploy.project.detect.routes.route_strings import find_definition, resolve_text
from mldeploy.project.detect.source.conditions import AppLoading
from mldeploy.project.detect.source.python_source import (
    PythonModule,
    SourceTree,
    assignments,
    call_argument,
    keyword_argument,
)

_DEPTH = 12
_WRAPPERS_WITH_PREFIX = ("prefix", "script_name", "reverseproxied")
"""In the name or an argument of a middleware: it changes the paths that the app answers."""
_APIS = frozenset({"flask_restx.Api", "flask_restful.Api", "flask_restplus.Api", "flask_smorest.Api"})


@dataclass(frozen=True)
class RouterObject:
    """An app, a blueprint, a router or a namespace: the file that assigns it, and its name there."""

    path: str
    name: str


@dataclass(frozen=True)
class _Inclusion:
    prefix: str
    child: RouterObject


@dataclass
class RouteGraph:
    """The inclusions of a folder's routers.

    own: the prefix that an object has wherever it is included. default: one that an inclusion may replace.
    roots: prefixes below which an app answers, if that is not the root. complete: everything could be read.
    """

    sources: SourceTree
    loading: AppLoading
    inclusions: dict[RouterObject, list[_Inclusion]] = field(default_factory=dict)
    own: dict[RouterObject, str] = field(default_factory=dict)
    default: dict[RouterObject, str] = field(default_factory=dict)
    roots: dict[RouterObject, list[str]] = field(default_factory=dict)
    unknown: set[RouterObject] = field(default_factory=set)
    complete: bool = True

    @classmethod
    def read(cls, sources: SourceTree, modules: Iterable[PythonModule]) -> RouteGraph:
        """Read the modules that an app consists of."""
        modules = tuple(modules)
        graph = cls(sources, AppLoading(sources, modules))
        for module in modules:
            for node in module.nodes:
                if isinstance(node, ast.stmt):
                    _read_assignments(graph, module, node)
        for module in modules:
            for call in module.calls:
                if isinstance(call.func, ast.Attribute) and call.func.attr in _REGISTRATIONS:
                    _read_registration(graph, module, call)
        return graph

    def find_object(self, node: ast.expr, module: PythonModule) -> RouterObject | None:
        """The object that an expression means: a name, `module.name`, `app.router`, a factory's result."""
        if isinstance(node, ast.Attribute) and node.attr in {"router", "wsgi_app"} and isinstance(node.value, ast.Name):
            inner = self.find_object(node.value, module)
            if (
                inner
                and (inner.path == module.file.path or node.attr == "wsgi_app")
                and not _is_module(node, module, self)
            ):
                return inner
        if isinstance(node, ast.Call):
            return self._find_result(node, module)
        if isinstance(node, ast.Name) and node.id in module.rebound:
            return None
        definition = find_definition(node, module, self.sources)
        return RouterObject(definition[0].file.path, definition[1]) if definition else None

    def _find_result(self, call: ast.Call, module: PythonModule) -> RouterObject | None:
        """What a factory of the folder's own returns, or what a middleware wraps."""
        definition = find_definition(call.func, module, self.sources)
        if definition and (returned := find_returned(*definition)):
            return RouterObject(definition[0].file.path, returned)
        wraps = module.called(call).rpartition(".")[2].endswith(("Middleware", "ToAsgi", "Fix"))
        return self.find_object(call.args[0], module) if wraps and call.args else None

    def find_prefixes(self, root: RouterObject) -> dict[RouterObject, list[str]]:
        """The prefixes below which each object answers, if the root is what a server serves."""
        prefixes: dict[RouterObject, list[str]] = {}
        for start in self.roots.get(root, [""]):
            self._walk(root, start, prefixes, _DEPTH)
        return prefixes

    def _walk(self, each: RouterObject, prefix: str, prefixes: dict[RouterObject, list[str]], depth: int) -> None:
        if not depth or each in self.unknown:
            self.complete = False
            return
        if prefix not in prefixes.setdefault(each, []):
            prefixes[each].append(prefix)
            for below in self.inclusions.get(each, ()):
                self._walk(below.child, prefix + below.prefix, prefixes, depth - 1)

    def include(self, parent: RouterObject | None, prefix: str | None, child: RouterObject | None) -> None:
        """Add an inclusion. None: the source does not say, and nothing below it is claimed."""
        if parent is None or prefix is None or child is None:
            self.complete = False
        elif parent != child:
            self.inclusions.setdefault(parent, []).append(_Inclusion(prefix.rstrip("/"), child))


def find_returned(module: PythonModule, function: str) -> str:
    """The local name that a function of a module returns; "" if it returns something else."""
    for node in module.nodes:
        if isinstance(node, ast.FunctionDef) and node.name == function:
            names = [each.value.id for each in ast.walk(node)
                     if isinstance(each, ast.Return) and isinstance(each.value, ast.Name)]  # fmt: skip
            return names[-1] if names else ""
    return ""


def _is_module(node: ast.Attribute, module: PythonModule, graph: RouteGraph) -> bool:
    """Whether `health.router` is a name in the module `health`."""
    definition = find_definition(node, module, graph.sources)
    return definition is not None and definition[0] is not module


def _read_assignments(graph: RouteGraph, module: PythonModule, node: ast.stmt) -> None:
    for name, value in assignments(node):
        target = RouterObject(module.file.path, name)
        if isinstance(value, ast.Name):
            graph.include(target, "", graph.find_object(value, module)) if value.id != name else None
        elif isinstance(value, ast.IfExp | ast.BoolOp):
            graph.unknown.add(target)
        elif isinstance(value, ast.Call):
            _read_made(graph, module, target, value)
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute):
        attribute = node.targets[0]
        if attribute.attr == "wsgi_app" and isinstance(node.value, ast.Call):
            _read_wsgi_app(graph, module, attribute, node.value)


def _read_made(graph: RouteGraph, module: PythonModule, target: RouterObject, call: ast.Call) -> None:
    """An object that a call makes: its own prefix, and what it is made of."""
    called = module.called(call)
    if called in _APIS:
        prefix = _prefix(graph, module, keyword_argument(call, "prefix"))
        parent = call_argument(call, 0, "app")
        graph.own[target] = prefix or ""
        if prefix is None:
            graph.unknown.add(target)
        if parent is not None:
            graph.include(graph.find_object(parent, module), prefix, target)
        return
    if called.endswith(".namespace") or called.rpartition(".")[2] == "Namespace":
        _read_namespace(graph, module, target, call)
        return
    if called.endswith("DispatcherMiddleware"):
        _read_dispatcher(graph, module, target, call)
        return
    _read_own_prefix(graph, module, target, call)
    _read_route_list(graph, module, target, keyword_argument(call, "routes"))
    _read_wrapped(graph, module, target, call)


def _read_wrapped(graph: RouteGraph, module: PythonModule, target: RouterObject, call: ast.Call) -> None:
    """What a middleware wraps, and what a factory of the folder's own returns."""
    called = module.called(call)
    known = called.rpartition(".")[2]
    if known in {"mount_gradio_app", "ASGIApp"} or known.endswith(("Middleware", "ToAsgi", "Fix", "Sentry")):
        for argument in call.args:
            if isinstance(argument, ast.Name | ast.Attribute) and (inner := graph.find_object(argument, module)):
                graph.include(target, "", inner)
    elif isinstance(call.func, ast.Name | ast.Attribute) and (inner := graph.find_object(call, module)):
        graph.include(target, "", inner)


def _read_own_prefix(graph: RouteGraph, module: PythonModule, target: RouterObject, call: ast.Call) -> None:
    """`APIRouter(prefix=…)` keeps its prefix below an inclusion's; a blueprint's is replaced by it."""
    if module.called(call).rpartition(".")[2] in {"Blueprint", "Sanic"} and _is_moved(call):
        graph.unknown.add(target)
    for keyword, prefixes in (("prefix", graph.own), ("url_prefix", graph.default)):
        given = keyword_argument(call, keyword)
        if given is not None:
            prefix = _prefix(graph, module, given)
            if prefix is None or prefixes.get(target, prefix) != prefix:
                graph.unknown.add(target)
            prefixes[target] = prefix or ""


def _is_moved(call: ast.Call) -> bool:
    """Whether a version or a host decides where the routes of Sanic or Flask are."""
    return any(each.arg in MOVING for each in call.keywords)


def _read_namespace(graph: RouteGraph, module: PythonModule, target: RouterObject, call: ast.Call) -> None:
    """flask-restx: a namespace without a path has one of its own name."""
    path = _prefix(graph, module, keyword_argument(call, "path")) if keyword_argument(call, "path") else None
    name = resolve_text(call_argument(call, 0, "name"), module, graph.sources)
    prefix = path if path is not None else f"/{name}" if name is not None else None
    if prefix is None:
        graph.unknown.add(target)
    graph.default[target] = prefix or ""
    if isinstance(call.func, ast.Attribute) and call.func.attr == "namespace":
        graph.include(graph.find_object(call.func.value, module), prefix, target)


def _read_dispatcher(graph: RouteGraph, module: PythonModule, target: RouterObject, call: ast.Call) -> None:
    """Werkzeug's DispatcherMiddleware(app, {"/path": other})."""
    base, mounts = call_argument(call, 0, "app"), call_argument(call, 1, "mounts")
    if base is not None and not isinstance(base, ast.Lambda | ast.Call):
        graph.include(target, "", graph.find_object(base, module))
    for path, app in _literal_items(mounts):
        graph.include(target, _prefix(graph, module, path), graph.find_object(app, module))
    if not isinstance(mounts, ast.Dict):
        graph.complete = False


def _read_wsgi_app(graph: RouteGraph, module: PythonModule, attribute: ast.Attribute, call: ast.Call) -> None:
    """`app.wsgi_app = DispatcherMiddleware(…, {"/svc": app.wsgi_app})`: the app answers where it is mounted."""
    app = graph.find_object(attribute.value, module)
    if app is None:
        graph.complete = False
        return
    if not module.called(call).endswith("DispatcherMiddleware"):
        texts = (module.called(call).lower(), *((each.arg or "") for each in call.keywords))
        if any(word in text.replace("_", "") for text in texts for word in _WRAPPERS_WITH_PREFIX):
            graph.unknown.add(app)
        return
    base, mounts = call_argument(call, 0, "app"), call_argument(call, 1, "mounts")
    roots = [""] if base is not None and graph.find_object(base, module) == app else []
    for path, other in _literal_items(mounts):
        prefix, child = _prefix(graph, module, path), graph.find_object(other, module)
        if child == app and prefix is not None:
            roots.append(prefix.rstrip("/"))
        else:
            graph.include(app, prefix, child)
    if roots and isinstance(mounts, ast.Dict):
        graph.roots[app] = roots
    else:
        graph.unknown.add(app)


def _literal_items(mounts: ast.expr | None) -> Iterator[tuple[ast.expr, ast.expr]]:
    if isinstance(mounts, ast.Dict):
        yield from ((key, value) for key, value in zip(mounts.keys, mounts.values, strict=True) if key is not None)


def _prefix(graph: RouteGraph, module: PythonModule, node: ast.expr | None) -> str | None:
    """The text of a prefix; "" if none is given, None if the source does not say."""
    if node is None or (isinstance(node, ast.Constant) and node.value is None):
        return ""
    return resolve_text(node, module, graph.sources)


_REGISTRATIONS = frozenset({"register_blueprint", "include_router", "mount", "add_namespace", "init_app", "blueprint",
                            "add_routes", "add_subapp"})  # fmt: skip
_GIVEN = {"mount": (1, "app"), "include_router": (0, "router"), "init_app": (0, "app"), "blueprint": (0, "blueprint"),
          "add_routes": (0, "routes"), "add_subapp": (1, "subapp")}  # fmt: skip
"""Where a registration has what it registers."""
_NO_ROUTES = ("StaticFiles", "make_asgi_app", "make_wsgi_app", "SPAStaticFiles")


def _read_registration(graph: RouteGraph, module: PythonModule, call: ast.Call) -> None:
    """`app.include_router(router)`, in each turn of the loops around it. It counts only if it surely runs."""
    if not isinstance(call.func, ast.Attribute):
        return
    kind = call.func.attr
    for turn in graph.loading.list_turns(module, call):
        owner = turn.func.value if isinstance(turn.func, ast.Attribute) else call.func.value
        given = call_argument(turn, *_GIVEN.get(kind, (0, "")))
        if kind == "add_routes" and isinstance(given, ast.List):
            continue  # they are declared there
        if given is None or (isinstance(given, ast.Call) and module.called(given).endswith(_NO_ROUTES)):
            continue
        child, places = graph.find_object(given, module), graph.loading.find_owners(module, call, owner)
        parents = [graph.find_object(expression, below) for below, expression in places]
        if kind == "init_app":
            _read_init_app(graph, parents, child)
            continue
        graph.complete = graph.complete and bool(places)
        for parent in parents:
            graph.include(parent, _inclusion_prefix(graph, module, turn, child), child)


def _read_init_app(graph: RouteGraph, parents: list[RouterObject | None], child: RouterObject | None) -> None:
    """`api.init_app(app)` of flask-restx; other extensions have no routes."""
    for api in parents:
        if api in graph.own and child is not None:
            graph.include(child, graph.own[api], api)


def _inclusion_prefix(
    graph: RouteGraph, module: PythonModule, call: ast.Call, child: RouterObject | None
) -> str | None:
    """The prefix of an inclusion with the child's own, as the framework joins them."""
    kind = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    if child is None or any(each.arg is None or each.arg in MOVING for each in call.keywords):
        return None
    if kind in {"mount", "add_subapp"}:
        return _prefix(graph, module, call_argument(call, 0, "path" if kind == "mount" else "prefix"))
    if kind == "add_routes":
        return ""
    keyword = {"include_router": "prefix", "add_namespace": "path"}.get(kind, "url_prefix")
    given = keyword_argument(call, keyword)
    prefix = _prefix(graph, module, given)
    if kind == "include_router":
        return None if prefix is None else prefix.rstrip("/") + graph.own.get(child, "")
    return graph.default.get(child, "") if given is None else prefix


def _read_route_list(graph: RouteGraph, module: PythonModule, target: RouterObject, routes: ast.expr | None) -> None:
    """Starlette's `routes=[Mount("/api", app=api), …]`; a `Mount` with routes of its own is read where those are."""
    listed = module.constants.get(routes.id, routes) if isinstance(routes, ast.Name) else routes
    if not isinstance(listed, ast.List):
        graph.complete = graph.complete and listed is None
        return
    for each in listed.elts:
        if module.called(each).rpartition(".")[2] == "Mount" and isinstance(each, ast.Call):
            app = call_argument(each, 1, "app")
            if app is not None and not module.called(app).endswith(_NO_ROUTES):
                graph.include(
                    target, _prefix(graph, module, call_argument(each, 0, "path")), graph.find_object(app, module)
                )
