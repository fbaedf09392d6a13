"""The routes of an app: what its modules declare, below the prefixes under which it includes them."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial

from mldeploy.project.detect.entry import AppEntry
from mldeploy.project.detect.frameworks import MAKERS, Interface
from mldeploy.project.detect.routes.declared_routes import AppRoute, DeclaredRoute, list_declared, list_starlette
from mldeploy.project.detect.routes.django_urls import DjangoUrls
from mldeploy.project.detect.routes.own_server_routes import list_aiohttp, map_tornado
from mldeploy.project.detect.routes.route_graph import RouteGraph, RouterObject, find_returned
from mldeploy.project.detect.routes.route_strings import find_definition, resolve_text
from mldeploy.project.detect.source.python_source import PythonModule, SourceTree, assignments, keyword_argument


@dataclass(frozen=True)
class RouteMap:
    """The routes that the source shows for certain. complete: it shows all of them."""

    routes: tuple[AppRoute, ...]
    complete: bool


def map_routes(sources: SourceTree, modules: tuple[PythonModule, ...], entry: AppEntry | None) -> RouteMap:
    """The routes of the app that an entry names; without one, of the only app in the modules."""
    if entry and entry.framework == "Django":
        urls = DjangoUrls(sources, modules)
        return RouteMap(tuple(sorted(urls.routes, key=lambda route: route.source)), urls.complete)
    if entry and entry.framework == "Tornado":
        routes, complete = map_tornado(modules, partial(_read_path, sources))
        return RouteMap(routes, complete)
    graph = RouteGraph.read(sources, modules)
    declared: list[tuple[RouterObject, AppRoute]] = []
    complete = True
    for module in modules:
        read, turns = partial(_read_path, sources, module), partial(graph.loading.list_turns, module)
        for each in (*list_declared(module, read, turns), *list_aiohttp(module, read)):
            owners = _find_owners(graph, module, each) if each.is_known else []
            declared += [(owner, each.route) for owner in owners if owner is not None]
            complete = complete and bool(owners) and None not in owners
        declared += _listed(sources, module)
    mapped: list[AppRoute] = []
    for root in _roots(graph, sources, modules, entry, [owner for owner, _ in declared]):
        prefixes = graph.find_prefixes(root)
        mapped += [
            replace(route, path=prefix + route.path)
            for owner, route in declared
            for prefix in prefixes.get(owner, ())
            if (prefix + route.path).startswith("/")
        ]
    ordered = sorted(dict.fromkeys(mapped), key=lambda route: route.source)
    is_read = entry is None or entry.framework in _READ
    return RouteMap(tuple(ordered), complete and graph.complete and is_read)


_READ = frozenset(
    {"Flask", "FastAPI", "Starlette", "Quart", "Sanic", "aiohttp", "Bottle", "Dash", "Streamlit", "Gradio"}
)
"""Frameworks whose ways to declare routes are all read."""


def _read_path(sources: SourceTree, module: PythonModule, node: ast.expr | None) -> str | None:
    return resolve_text(node, module, sources)


def _find_owners(graph: RouteGraph, module: PythonModule, declared: DeclaredRoute) -> list[RouterObject | None]:
    """The objects that a route surely belongs to. None: one that the source does not say."""
    if declared.owner is None:
        return [_default_app(module)] if graph.loading.find_owners(module, declared.call, ast.Name(id="")) else []
    places = graph.loading.find_owners(module, declared.call, declared.owner)
    return [graph.find_object(expression, below) for below, expression in places]


def _default_app(module: PythonModule) -> RouterObject:
    """Bottle's default app, which has no name."""
    return RouterObject(module.file.path, "")


def _listed(sources: SourceTree, module: PythonModule) -> list[tuple[RouterObject, AppRoute]]:
    """The routes of `app = Starlette(routes=[…])`."""
    declared = []
    for node in module.nodes:
        for name, value in assignments(node) if isinstance(node, ast.stmt) else ():
            routes = keyword_argument(value, "routes") if isinstance(value, ast.Call) else None
            if routes is not None:
                read = lambda each: resolve_text(each, module, sources)  # noqa: E731
                owner = RouterObject(module.file.path, name)
                declared += [(owner, route) for route in list_starlette(module, routes, read)]
    return declared


def _roots(
    graph: RouteGraph,
    sources: SourceTree,
    modules: Iterable[PythonModule],
    entry: AppEntry | None,
    owners: list[RouterObject],
) -> list[RouterObject]:
    """The object that a server serves, and Bottle's default app."""
    default = [owner for owner in dict.fromkeys(owners) if not owner.name]
    if entry and entry.attribute and entry.interface is not Interface.SCRIPT:
        served = _served(sources, entry)
        if served is not None and (served in owners or served in graph.inclusions):
            return [served, *default]
    apps = [
        RouterObject(module.file.path, name)
        for module in modules
        for node in module.nodes
        if isinstance(node, ast.stmt)
        for name, value in assignments(node)
        if module.called(value) in MAKERS
    ]
    included = {below.child for each in graph.inclusions.values() for below in each}
    outer = [each for each in dict.fromkeys(apps) if each not in included]
    return [*(outer if len(outer) == 1 else ()), *default]


def _served(sources: SourceTree, entry: AppEntry) -> RouterObject | None:
    module = sources.module(entry.path)
    definition = find_definition(ast.Name(id=entry.attribute), module, sources) if module else None
    if definition is None:
        return None
    below, name = definition
    name = find_returned(below, name) if entry.factory else name
    return RouterObject(below.file.path, name) if name else None
