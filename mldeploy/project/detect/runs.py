"""The calls in the source that start a server: `app.run(…)` and its relatives."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from mldeploy.project.detect.command import Server
from mldeploy.project.detect.findings import Source
from mldeploy.project.detect.frameworks import MAKERS
from mldeploy.project.detect.source import Module, top_level
from mldeploy.project.detect.static import argument, constant, keyword, variable


@dataclass(frozen=True)
class Run:
    """One call. server: PYTHON stands for a framework's own, made for development.

    host and port: "" and None where the call does not say. variable: the environment variable that decides the port.
    reload: it restarts whenever a file changes. on_import: it stands outside `if __name__ == "__main__":`, so that
    importing the module starts it. shared: it asks for Gradio's tunnel.
    """

    server: Server
    host: str
    port: int | None
    variable: str
    debug: bool
    reload: bool
    source: Source
    on_import: bool
    shared: bool = False


_LIBRARY = {
    "uvicorn.run": Server.UVICORN,
    "waitress.serve": Server.WAITRESS,
    "bottle.run": Server.PYTHON,
    "werkzeug.serving.run_simple": Server.PYTHON,
    "wsgiref.simple_server.make_server": Server.PYTHON,
}
_METHODS = frozenset({"run", "run_server", "launch"})


_APPS = frozenset(
    {"app", "application", "server", "api", "demo", "iface", "interface", "socketio", "dashboard", "webapp"}
)
"""What people call an app. A call of `run` on anything else is somebody else's."""


def runs(module: Module) -> tuple[Run, ...]:
    """The calls of a module that start a server."""
    apps = _APPS | {name for name, value in module.constants.items() if module.called(value) in MAKERS}
    on_import = _run_on_import(module)
    found = []
    for call in module.calls:
        server = _LIBRARY.get(module.called(call))
        if server is None and _is_method_of(call, apps):
            server = Server.PYTHON
        if server:
            found.append(_run(module, call, server, on_import=id(call) in on_import))
    return tuple(found)


def _is_method_of(call: ast.Call, apps: frozenset[str]) -> bool:
    func = call.func
    return (
        isinstance(func, ast.Attribute)
        and func.attr in _METHODS
        and isinstance(func.value, ast.Name)
        and func.value.id in apps
    )


def _run_on_import(module: Module) -> frozenset[int]:
    simple = (node for node in top_level(module.tree.body) if isinstance(node, ast.Expr | ast.Assign))
    return frozenset(id(each) for node in simple for each in ast.walk(node) if isinstance(each, ast.Call))


def _run(module: Module, call: ast.Call, server: Server, *, on_import: bool) -> Run:
    positional = 0 if isinstance(call.func, ast.Attribute) and server is Server.PYTHON else 99
    host = constant(argument(call, positional, "host") or keyword(call, "server_name"), module)
    given = argument(call, positional + 1, "port") or keyword(call, "server_port")
    port = constant(given, module)
    if isinstance(port, str) and port.isdecimal() and len(port) < 6:
        port = int(port)
    return Run(
        server=server,
        host=host if isinstance(host, str) else "",
        port=port if isinstance(port, int) and 0 < port < 65536 else None,
        variable=variable(given, module),
        debug=constant(argument(call, positional + 2, "debug"), module) is True,
        reload=constant(keyword(call, "reload"), module) is True,
        source=module.at(call),
        on_import=on_import,
        shared=constant(keyword(call, "share"), module) is True,
    )
