"""The apps that one module makes: objects that a server can serve, and functions that return one."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from mldeploy.project.detect.frameworks import (
    DASH,
    FLASK,
    MAKERS,
    PLAIN_ASGI,
    PLAIN_WSGI,
    STREAMLIT,
    FrameworkObject,
    Interface,
)
from mldeploy.project.detect.source.python_source import (
    PythonModule,
    assignments,
    keyword_argument,
    module_name,
    top_level,
)


@dataclass(frozen=True)
class AppEntry:
    """The app that a server serves.

    module: dotted, as seen from the folder. attribute: the object's name, "" for a script. factory: it is a function
    that returns the app, and arguments what it is called with, as written. path: the file, below the folder. start_in:
    the folder from which it must be started for its own imports and files to be found; "" is the project's folder.
    """

    module: str
    attribute: str
    framework: str
    interface: Interface
    path: str
    factory: bool = False
    start_in: str = ""
    arguments: str = ""

    def __str__(self) -> str:
        if self.interface is Interface.SCRIPT:
            return self.path
        return f"{self.module}:{self.attribute}" + f"({self.arguments})" * self.factory

    def inside(self, folder: str) -> AppEntry:
        """The same, started in a folder that its file lies in."""
        return replace(self, module=module_name(self.path.removeprefix(f"{folder}/")), start_in=folder)


@dataclass(frozen=True)
class AppObject:
    """An app as one module makes it. attribute "" means that no name at the module's top level holds it."""

    attribute: str
    kind: FrameworkObject
    line: int
    factory: bool = False
    needs_arguments: bool = False


@dataclass
class _ModuleReader:
    """What has been read of a module so far."""

    module: PythonModule
    makers: dict[str, FrameworkObject]
    apps: dict[str, AppObject] = field(default_factory=dict)
    inner: set[str] = field(default_factory=set)


def find_apps(module: PythonModule, imported: Mapping[str, FrameworkObject] | None = None) -> tuple[AppObject, ...]:
    """The apps of a module, in the order of their lines.

    imported: the factories of the folder's other modules, as this module calls them. An app that another one of the
    same module serves (a mounted part, the Flask below a Dash) is not listed.
    """
    reading = _ModuleReader(module, {**MAKERS, **_starred(module), **(imported or {})})
    _read_definitions(reading)
    for node in top_level(module.tree.body):
        _read_statement(reading, node)
    _read_mounts(reading)
    apps = [app for name, app in reading.apps.items() if name not in reading.inner]
    objects = [app for app in apps if not app.factory]
    if objects:  # a factory beside an object in one module is what made the object
        apps = objects
    return tuple(sorted(apps or _without_name(module), key=lambda app: app.line))


def find_factories(module: PythonModule) -> dict[str, FrameworkObject]:
    """The functions of a module that return an app."""
    reading = _ModuleReader(module, {**MAKERS, **_starred(module)})
    _read_definitions(reading)
    return {name: app.kind for name, app in reading.apps.items() if app.factory}


def _starred(module: PythonModule) -> dict[str, FrameworkObject]:
    """What `from flask import *` lets a module call by its bare name."""
    stars = {node.module for node in module.nodes if isinstance(node, ast.ImportFrom) and node.names[0].name == "*"}
    split = ((name.rpartition("."), kind) for name, kind in MAKERS.items())
    return {name: kind for (owner, _, name), kind in split if owner in stars}


def _read_definitions(reading: _ModuleReader) -> None:
    module = reading.module
    for node in top_level(module.tree.body):
        if isinstance(node, ast.ClassDef):
            _read_class(reading, node)
    makes = not reading.makers.keys().isdisjoint(map(module.called, module.calls))  # spares most modules the search
    for node in top_level(module.tree.body):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            app = _plain_callable(node) or (_factory(reading, node) if makes else None)
            if app:
                reading.apps[app.attribute] = app
                reading.makers.setdefault(app.attribute, app.kind)


def _read_class(reading: _ModuleReader, node: ast.ClassDef) -> None:
    """A class of the module's own counts as a framework's if it inherits from one, or is itself WSGI or ASGI."""
    for base in node.bases:
        kind = reading.makers.get(reading.module.dotted(base))
        if kind:
            reading.makers[node.name] = kind
    for method in node.body:
        if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef) and method.name == "__call__":
            plain = _interface_of(method, skip=1)
            if plain:
                reading.makers[node.name] = plain


def _plain_callable(node: ast.FunctionDef | ast.AsyncFunctionDef) -> AppObject | None:
    kind = _interface_of(node)
    return AppObject(node.name, kind, node.lineno) if kind else None


def _interface_of(node: ast.FunctionDef | ast.AsyncFunctionDef, skip: int = 0) -> FrameworkObject | None:
    names = [argument.arg.strip("_") for argument in (*node.args.posonlyargs, *node.args.args)][skip:]
    if isinstance(node, ast.AsyncFunctionDef):
        return PLAIN_ASGI if names == ["scope", "receive", "send"] else None
    return PLAIN_WSGI if names[1:] == ["start_response"] else None


def _factory(reading: _ModuleReader, node: ast.FunctionDef | ast.AsyncFunctionDef) -> AppObject | None:
    if isinstance(node, ast.AsyncFunctionDef) or node.decorator_list:
        return None
    local: dict[str, FrameworkObject] = {}
    returned: FrameworkObject | None = None
    for each in ast.walk(node):
        if isinstance(each, ast.Assign | ast.AnnAssign):
            kind = reading.makers.get(reading.module.called(each.value))
            local |= {name: kind for name, _ in assignments(each) if kind}
        elif isinstance(each, ast.Return) and isinstance(each.value, ast.Call):
            returned = returned or reading.makers.get(reading.module.called(each.value))
    for each in ast.walk(node):
        if isinstance(each, ast.Return) and isinstance(each.value, ast.Name):
            returned = returned or local.get(each.value.id)
    if returned is None or returned.interface is Interface.SCRIPT:
        return None
    arguments = len(node.args.posonlyargs) + len(node.args.args) - len(node.args.defaults)
    required = arguments + sum(default is None for default in node.args.kw_defaults)
    return AppObject(node.name, returned, node.lineno, factory=True, needs_arguments=required > 0)


def _read_statement(reading: _ModuleReader, node: ast.stmt) -> None:
    made: list[ast.expr] = []
    for name, value in assignments(node):
        kind = _kind_of(reading, name, value)
        if kind:
            reading.apps[name] = AppObject(name, kind, node.lineno)
        if kind and value in made:  # app = application = Flask(__name__): one app, served under its first name
            reading.inner.add(name)
        made.append(value)
    if isinstance(node, ast.With):  # with gr.Blocks() as demo:
        for item in node.items:
            kind = reading.makers.get(reading.module.called(item.context_expr))
            if kind and isinstance(item.optional_vars, ast.Name):
                reading.apps[item.optional_vars.id] = AppObject(item.optional_vars.id, kind, node.lineno)


def _kind_of(reading: _ModuleReader, name: str, value: ast.expr) -> FrameworkObject | None:
    """What a name becomes: a framework's object, another name for one, or the same one wrapped in something."""
    if isinstance(value, ast.Name):
        known = reading.apps.get(value.id)
        if known and not known.factory and name != value.id:  # application = app
            reading.inner.add(name)
            return known.kind
        return None
    if isinstance(value, ast.Attribute) and isinstance(value.value, ast.Name):
        return _server_of(reading, value.value.id, value.attr)
    if not isinstance(value, ast.Call):
        return None
    known_maker = reading.makers.get(reading.module.called(value))
    arguments = {argument.id for argument in value.args if isinstance(argument, ast.Name)}
    if known_maker:
        reading.inner |= arguments & reading.apps.keys() - {name}
        server = keyword_argument(value, "server")
        if known_maker is DASH and isinstance(server, ast.Name) and server.id in reading.apps:
            reading.inner.add(name)  # the Flask that Dash was given is what a server serves
        return known_maker
    return reading.apps[name].kind if name in arguments and name in reading.apps else None


def _server_of(reading: _ModuleReader, owner: str, attribute: str) -> FrameworkObject | None:
    """`server = app.server`: the Flask below a Dash."""
    known = reading.apps.get(owner)
    if known is None or known.kind is not DASH or attribute != "server":
        return None
    reading.inner.add(owner)
    return replace(FLASK, framework=DASH.framework)  # what it speaks is Flask's


def _read_mounts(reading: _ModuleReader) -> None:
    """`app.mount("/v1", api)`, `app.mount("/", WSGIMiddleware(flask_app))`: what is mounted is served by its mount."""
    for call in reading.module.calls:
        if isinstance(call.func, ast.Attribute) and call.func.attr in {"mount", "add_sub_applications", "add_subapp"}:
            names = {each.id for argument in call.args for each in ast.walk(argument) if isinstance(each, ast.Name)}
            owner = call.func.value.id if isinstance(call.func.value, ast.Name) else ""
            reading.inner |= names & reading.apps.keys() - {owner}


def _without_name(module: PythonModule) -> Iterator[AppObject]:
    """Apps that exist only while the file runs: Streamlit's scripts, Bottle's default app, a launched Gradio."""
    imported = {name.partition(".")[0]: line for name, line in reversed(list(module.imports))}
    names = [module.called(call) for call in module.calls]
    if "streamlit" in imported and any(name.startswith("streamlit.") for name in names):
        yield AppObject("", STREAMLIT, imported["streamlit"])
    elif "bottle" in imported and "bottle.run" in names:
        yield AppObject("", MAKERS["bottle.Bottle"], imported["bottle"])
    elif "gradio" in imported and any(name.endswith(".launch") or name in MAKERS for name in names):
        yield AppObject("", MAKERS["gradio.Interface"], imported["gradio"])
    else:
        yield from _hidden_in_functions(module)


def _hidden_in_functions(module: PythonModule) -> Iterator[AppObject]:
    """`def main(): app = Flask(__name__); app.run()`: there is an app, but no server can reach it."""
    for node in module.nodes:
        if isinstance(node, ast.Call) and (kind := MAKERS.get(module.called(node))):
            yield AppObject("", kind, node.lineno)
            return
