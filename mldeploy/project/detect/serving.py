"""Whether mldeploy's own recipe can serve the app, and where the app says that it can serve."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mldeploy.config.kinds import is_entry, is_folder_inside
from mldeploy.project.detect.command import Command, Server
from mldeploy.project.detect.entry import Entry
from mldeploy.project.detect.findings import Found, Remark, Severity
from mldeploy.project.detect.frameworks import Interface
from mldeploy.project.detect.routes import Route, health
from mldeploy.project.detect.source import Module
from mldeploy.project.detect.static import constant, keyword


@dataclass(frozen=True)
class Start:
    """How mldeploy's recipe starts an app: the settings of the same names, "" and none where the default is right."""

    entry: str = ""
    interface: str = ""
    command: tuple[str, ...] = ()
    chdir: str = ""


def start(entry: Entry, commands: Iterable[Found[Command]] = ()) -> Start:
    """The settings that start an app that `is_served`. commands: how it is started today."""
    if entry.interface is Interface.SCRIPT:
        return Start(command=_command(entry, commands), chdir=entry.start_in)
    asgi = entry.interface is Interface.ASGI
    return Start(str(entry), "asgi" if asgi else "", chdir=entry.start_in)


def _command(entry: Entry, commands: Iterable[Found[Command]]) -> tuple[str, ...]:
    """Streamlit's own command, or the script that launches a Gradio."""
    path = entry.path.removeprefix(f"{entry.start_in}/").replace("$", "$$")
    if entry.framework == "Gradio":
        address = ("GRADIO_SERVER_NAME=0.0.0.0", "GRADIO_SERVER_PORT=$PORT")
        return ("env", *address, "GRADIO_ANALYTICS_ENABLED=False", "python", path)
    words = {"--server.address": "0.0.0.0", "--server.port": "$PORT", "--server.headless": "true"}  # noqa: S104 - a container's
    words |= {"--server.fileWatcherType": "none", "--browser.gatherUsageStats": "false"}
    today = (found.value.options for found in commands if found.value.server is Server.STREAMLIT)
    own = {
        name: value.replace("$", "$$")
        for options in today
        for name, value in options.items()
        if name.startswith("--") and value and name not in words
    }
    return ("streamlit", "run", path, *(f"{name}={value}" for name, value in (words | own).items()))


def unserved(entry: Found[Entry] | None, module: Module | None, *, own: bool) -> Iterator[Remark]:
    """Why mldeploy's recipe cannot serve an app; with a Dockerfile of the folder's own it need not.

    module: the one that makes the app.
    """
    if entry is None or own:
        return
    found = entry.value
    if found.framework == "Gradio" and found.interface is Interface.SCRIPT and module and not _launches(module):
        what = "makes a Gradio app that nothing launches"
        todo = "Add `demo.launch()` at the end: that starts Gradio's server."
    elif is_served(found):
        return
    elif found.framework == "Dash" and found.interface is Interface.SCRIPT:
        what = "is a Dash, which no server takes by itself"
        todo = "Add `server = app.server` below it: that is what is served."
    elif found.arguments:
        what = f"calls `{found.attribute}` with something that no server can be told"
        todo = f"Write a wsgi.py: `from {found.module} import {found.attribute}` and `app = {found.attribute}(…)`."
    else:
        what = f"the path {found.path} has characters in it that no server can be told"
        todo = "Rename the file or its folder: letters, digits and underscores."
    yield Remark("entry-not-served", Severity.ERROR, entry.source, what, todo)


def _launches(module: Module) -> bool:
    return any(isinstance(call.func, ast.Attribute) and call.func.attr == "launch" for call in module.calls)


def is_served(entry: Entry) -> bool:
    """Whether mldeploy's own recipe can serve an app."""
    if entry.start_in and not is_folder_inside(entry.start_in):
        return False
    if entry.interface is Interface.SCRIPT:
        return entry.framework != "Dash" and entry.path.isprintable()
    return is_entry(str(entry))


def health_of(entry: Found[Entry] | None, found: tuple[Route, ...], modules: Iterable[Module]) -> Found[str] | None:
    """The path that tells whether the app can serve: a route of its own, or a page that its framework has.

    modules: those that the app consists of.
    """
    route = health(found)
    if route or not entry:
        return path_of(route)
    usual = {"Dash": "/", "Gradio": "/", "Streamlit": "/_stcore/health", "FastAPI": _docs(modules)}
    known = usual.get(entry.value.framework)
    return Found(known, entry.source) if known else None


def _docs(modules: Iterable[Module]) -> str:
    """Where a FastAPI has its manual, "" if it was told to have none. Standard: FastAPI, "Metadata and Docs URLs"."""
    made = [(call, module) for module in modules for call in module.calls if module.called(call) == "fastapi.FastAPI"]
    for call, module in made:
        for name in ("docs_url", "openapi_url"):
            given = keyword(call, name)
            said = constant(given, module) if given else "/docs"
            if not isinstance(said, str) or not said:
                return ""
            if name == "docs_url" and given:
                return said
    return "/docs"


def no_health(entry: Found[Entry], *, own: bool) -> Remark:
    """That nothing tells when the app can serve; in mldeploy's recipe the server does."""
    what = "has no page at / and no route such as /health"
    if own:
        todo = "Add a route `/health` that answers 200, or name one: `health` in mldeploy.toml."
        return Remark("no-health", Severity.WARNING, entry.source, f"{what}, so nothing tells when it can serve", todo)
    what = f"{what}: mldeploy's server answers /health once the app is loaded"
    return Remark("no-health", Severity.NOTE, entry.source, what)


def path_of(route: Route | None) -> Found[str] | None:
    """A route's path, if it is one that a configuration can name."""
    usable = route is not None and re.fullmatch(r"/[!-~]*", route.path)
    return Found(route.path, route.source) if route and usable else None
