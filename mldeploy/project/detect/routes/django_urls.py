"""Django's routes: the URL lists from the root on, through `include()`."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from mldeploy.project.detect.routes.declared_routes import AppRoute, Body
from mldeploy.project.detect.routes.route_strings import find_definition, resolve_text
from mldeploy.project.detect.source.python_source import PythonModule, SourceTree, evaluate

_DEPTH = 8


class DjangoUrls:
    """The routes that the URL lists of a project show. complete: all of them could be read."""

    def __init__(self, sources: SourceTree, modules: Iterable[PythonModule]) -> None:
        self.sources = sources
        self.complete = True
        self.routes: list[AppRoute] = []
        for settings in modules:
            name = evaluate(settings.constants.get("ROOT_URLCONF"), settings)
            if isinstance(name, str):
                self._read_module(name, settings, "/", _DEPTH)
                return
        self.complete = False

    def _read_module(self, name: str, importer: PythonModule, prefix: str, depth: int) -> None:
        file = self.sources.local(name, importer)
        module = self.sources.module(file.path) if file else None
        if module is None or not depth:
            self.complete = False
            return
        listed = list(_pattern_lists(module, "urlpatterns"))
        self.complete = self.complete and bool(listed)
        for each in listed:
            self._read_list(each, module, prefix, depth)

    def _read_list(self, listed: ast.expr, module: PythonModule, prefix: str, depth: int) -> None:
        if not isinstance(listed, ast.List | ast.Tuple):
            self.complete = self.complete and _is_static(listed, module)
            return
        for each in listed.elts:
            if isinstance(each, ast.Call) and module.called(each) in {"django.urls.path", "django.conf.urls.path"}:
                self._read_path(each, module, prefix, depth)
            else:
                self.complete = False  # a regular expression, or a router of another package

    def _read_path(self, call: ast.Call, module: PythonModule, prefix: str, depth: int) -> None:
        text = resolve_text(call.args[0], module, self.sources) if call.args else None
        view = call.args[1] if len(call.args) > 1 else None
        if text is None or view is None:
            self.complete = False
        elif not (isinstance(view, ast.Call) and module.called(view).rpartition(".")[2] == "include"):
            if not module.dotted(view).startswith("django.contrib.admin") and not module.dotted(view).endswith(
                "site.urls"
            ):
                self.routes.append(AppRoute(prefix + text, frozenset({"GET", "POST"}), Body.NONE, module.at(call)))
        else:
            self._include(view, module, prefix + text, depth)

    def _include(self, call: ast.Call, module: PythonModule, prefix: str, depth: int) -> None:
        given = call.args[0] if call.args else None
        if isinstance(given, ast.Tuple) and given.elts:
            given = given.elts[0]
        name = resolve_text(given, module, self.sources) if given is not None else None
        if name is not None:
            self._read_module(name, module, prefix, depth - 1)
        elif isinstance(given, ast.Name) and given.id in module.constants:
            self._read_list(module.constants[given.id], module, prefix, depth - 1)
        elif isinstance(given, ast.Name | ast.Attribute) and (found := find_definition(given, module, self.sources)):
            below, listed = found
            if listed in below.constants and below is not module:
                self._read_list(below.constants[listed], below, prefix, depth - 1)
            else:
                self._read_imported(given, module, prefix, depth)
        else:
            self.complete = False

    def _read_imported(self, given: ast.expr, module: PythonModule, prefix: str, depth: int) -> None:
        dotted = module.dotted(given)
        if self.sources.local(dotted, module):
            self._read_module(dotted, module, prefix, depth - 1)
        else:
            self.complete = False


def _pattern_lists(module: PythonModule, name: str) -> Iterator[ast.expr]:
    """The values of `urlpatterns = […]` and of `urlpatterns += […]`."""
    for node in module.tree.body:
        if isinstance(node, ast.Assign) and any(
            isinstance(each, ast.Name) and each.id == name for each in node.targets
        ):
            yield from _summands(node.value)
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name) and node.target.id == name:
            yield node.value
        elif (
            isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and node.target.id == name
            and node.value
        ):
            yield from _summands(node.value)


def _summands(value: ast.expr) -> Iterator[ast.expr]:
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
        yield from _summands(value.left)
        yield from _summands(value.right)
    else:
        yield value


def _is_static(value: ast.expr, module: PythonModule) -> bool:
    """`static(settings.STATIC_URL, …)` adds files, no pages."""
    return module.called(value).rpartition(".")[2] in {"static", "staticfiles_urlpatterns"}
