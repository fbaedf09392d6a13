"""Whether mldeploy's own recipe can serve the app, and where the app says that it can serve."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from mldeploy.config.kinds import is_entry, is_folder_inside
from mldeploy.project.detect.documents import parse_toml_tables, text_at
from mldeploy.project.detect.entry import AppEntry
from mldeploy.project.detect.findings import Certainty, Detected, Remark, Severity
from mldeploy.project.detect.frameworks import Interface
from mldeploy.project.detect.routes.declared_routes import AppRoute, Body, choose_health, choose_predict
from mldeploy.project.detect.source.python_source import PythonModule, evaluate, keyword_argument
from mldeploy.project.detect.starts.command import Command, Server
from mldeploy.project.detect.tree import Tree


@dataclass(frozen=True)
class StartSettings:
    """How mldeploy's recipe starts an app: the settings of the same names, "" and none where the default is right."""

    entry: str = ""
    interface: str = ""
    command: tuple[str, ...] = ()
    chdir: str = ""


def start_settings(entry: AppEntry, commands: Iterable[Detected[Command]] = ()) -> StartSettings:
    """The settings that start an app that `is_servable`. commands: how it is started today."""
    if entry.interface is Interface.SCRIPT:
        return StartSettings(command=_command(entry, commands), chdir=entry.start_in)
    asgi = entry.interface is Interface.ASGI
    return StartSettings(str(entry), "asgi" if asgi else "", chdir=entry.start_in)


def _command(entry: AppEntry, commands: Iterable[Detected[Command]]) -> tuple[str, ...]:
    """Streamlit's own command, or the script that launches a Gradio."""
    path = entry.path.removeprefix(f"{entry.start_in}/").replace("$", "$$")
    if entry.framework in _STARTED_BY:
        return ("python", path)
    if entry.framework == "Gradio":
        address = ("GRADIO_SERVER_NAME=0.0.0.0", "GRADIO_SERVER_PORT=$PORT")
        return ("env", *address, "GRADIO_ANALYTICS_ENABLED=False", "python", path)
    words = {"--server.address": "0.0.0.0", "--server.port": "$PORT", "--server.headless": "true"}  # noqa: S104 - a container's
    words |= {"--server.fileWatcherType": "none", "--browser.gatherUsageStats": "false"}
    today = (detected.value.options for detected in commands if detected.value.server is Server.STREAMLIT)
    own = {
        name: value.replace("$", "$$")
        for options in today
        for name, value in options.items()
        if name.startswith("--") and value and name not in words
    }
    return ("streamlit", "run", path, *(f"{name}={value}" for name, value in (words | own).items()))


def find_unservable(entry: Detected[AppEntry] | None, module: PythonModule | None, *, own: bool) -> Iterator[Remark]:
    """Why mldeploy's recipe cannot serve an app; with a Dockerfile of the folder's own it need not.

    module: the one that makes the app.
    """
    if entry is None or own:
        return
    app = entry.value
    if app.framework == "Gradio" and app.interface is Interface.SCRIPT and module and not _launches(module):
        what = "makes a Gradio app that nothing launches"
        todo = "Add `demo.launch()` at the end: that starts Gradio's server."
    elif app.framework in _STARTED_BY and module and not _starts(module):
        what = f"makes an app of {app.framework} that nothing in this file starts"
        todo = f"{_STARTED_BY[app.framework]} Or set `command` and `port` in [app] of mldeploy.toml."
    elif is_servable(app):
        return
    elif app.framework == "Dash" and app.interface is Interface.SCRIPT:
        what = "is a Dash object, which a WSGI server cannot serve directly"
        todo = "Add `server = app.server` below it. mldeploy serves `server`."
    elif app.arguments:
        what = f"calls `{app.attribute}` with arguments that are not literals, which a server cannot pass"
        todo = f"Write a wsgi.py: `from {app.module} import {app.attribute}` and `app = {app.attribute}(…)`."
    else:
        what = f"the path {app.path} contains characters that a server command cannot contain"
        todo = "Rename the file or its folder. Use letters, digits and underscores."
    yield Remark("entry-not-served", Severity.ERROR, entry.source, what, todo)


_STARTED_BY = {
    "aiohttp": "Add `web.run_app(app, port=8080)` at its end: that starts its own server.",
    "Tornado": "Add `app.listen(8888)` and `tornado.ioloop.IOLoop.current().start()`: that starts its own server.",
}
"""Frameworks whose own server the app's file starts, and what to add where it does not."""


def _starts(module: PythonModule) -> bool:
    names = {module.called(call).rpartition(".")[2] for call in module.calls}
    names |= {call.func.attr for call in module.calls if isinstance(call.func, ast.Attribute)}
    return bool(names & {"run_app", "AppRunner", "listen", "bind", "add_sockets"})


def _launches(module: PythonModule) -> bool:
    return any(isinstance(call.func, ast.Attribute) and call.func.attr == "launch" for call in module.calls)


def is_servable(entry: AppEntry) -> bool:
    """Whether mldeploy's own recipe can serve an app."""
    if entry.start_in and not is_folder_inside(entry.start_in):
        return False
    if entry.interface is Interface.SCRIPT:
        return entry.framework != "Dash" and entry.path.isprintable()
    return is_entry(str(entry))


def detect_health(
    entry: Detected[AppEntry] | None,
    routes: tuple[AppRoute, ...],
    modules: Iterable[PythonModule],
    streamlit_base: str = "",
) -> Detected[str] | None:
    """The path that tells whether the app can serve: a route of its own, or a page that its framework has.

    modules: those that the app consists of. streamlit_base: the path below which Streamlit serves.
    """
    route = choose_health(routes)
    if route or not entry:
        found = route_path(route)
        front = found is not None and found.value == "/"
        return replace(found, certainty=Certainty.GUESS, reason=_FRONT_PAGE) if found and front else found
    modules = tuple(modules)
    usual = {
        "Dash": _dash_path(modules),
        "Gradio": "/",
        "Streamlit": f"{streamlit_base}/_stcore/health",
        "FastAPI": _docs_path(modules),
    }
    framework = entry.value.framework
    known = usual.get(framework)
    if not known:
        return None
    if framework == "Streamlit":
        return Detected(known, entry.source, reason="Streamlit has it")
    reason = f"the source shows no health route, but {framework} has this page"
    return Detected(known, entry.source, Certainty.GUESS, reason)


_FRONT_PAGE = "the source shows no health route, but this page answers"


def detect_predict(routes: tuple[AppRoute, ...], body: Body) -> Detected[str] | None:
    """The path that answers a prediction for this kind of body. It is a guess if its name does not say so."""
    found = route_path(choose_predict(routes, body))
    if found is None or "predict" in found.value.lower():
        return found
    takers = {each.path for each in routes if "POST" in each.methods and each.body is body}
    takes = "a table" if body is Body.TABLE else "JSON"
    reason = f"the only route that takes {takes}"
    if len(takers) > 1:
        reason = f"the first of {len(takers)} routes that take {takes}"
    return replace(found, certainty=Certainty.GUESS, reason=reason)


def streamlit_base_path(tree: Tree, start_in: str, commands: Iterable[Detected[Command]]) -> str:
    """`server.baseUrlPath` as a prefix of paths: of the command, else of the file that is read where it starts."""
    file = tree.get(posixpath.join(start_in, ".streamlit/config.toml"))
    text = text_at(parse_toml_tables(tree.text(file)), "server", "baseUrlPath") if file else ""
    for each in commands:
        if each.value.server is Server.STREAMLIT:
            text = each.value.options.get("--server.baseUrlPath", text)
    path = text.strip("/")
    return f"/{path}" if path else ""


def _dash_path(modules: Iterable[PythonModule]) -> str:
    """Where a Dash has its page, "" if the source does not say. Standard: Dash, "dash.Dash"."""
    for module in modules:
        for call in module.calls:
            if not module.called(call).startswith(("dash.", "jupyter_dash.")) or not module.called(call).endswith(
                "Dash"
            ):
                continue
            given = keyword_argument(call, "routes_pathname_prefix") or keyword_argument(call, "url_base_pathname")
            path = evaluate(given, module) if given else "/"
            return path if isinstance(path, str) and path.startswith("/") and "{" not in path else ""
    return "/"


def _docs_path(modules: Iterable[PythonModule]) -> str:
    """Where a FastAPI has its manual, "" if it is disabled. Standard: FastAPI, "Metadata and Docs URLs"."""
    made = [(call, module) for module in modules for call in module.calls if module.called(call) == "fastapi.FastAPI"]
    for call, module in made:
        for name in ("docs_url", "openapi_url"):
            given = keyword_argument(call, name)
            path = evaluate(given, module) if given else "/docs"
            if not isinstance(path, str) or not path:
                return ""
            if name == "docs_url" and given:
                return path
    return "/docs"


def no_health_remark(entry: Detected[AppEntry], *, own: bool, complete: bool) -> Remark:
    """That nothing tells when the app can serve; in mldeploy's recipe the server does.

    complete: the source shows all routes.
    """
    what = "has no page at / and no route such as /health"
    if not complete:
        what = "has no page at / or route such as /health that the source shows for certain"
    if own:
        todo = "Add a route `/health` that answers 200, or name one: `health` in mldeploy.toml."
        return Remark(
            "no-health", Severity.WARNING, entry.source, f"{what}, so nothing shows when the app is ready", todo
        )
    what = f"{what}: mldeploy's server answers /health once the app is loaded"
    return Remark("no-health", Severity.NOTE, entry.source, what)


def route_path(route: AppRoute | None) -> Detected[str] | None:
    """A route's path, if it is one that a configuration can name."""
    usable = route is not None and re.fullmatch(r"/[!-~]*", route.path)
    return Detected(route.path, route.source) if route and usable else None
