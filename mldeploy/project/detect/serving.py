"""Whether mldeploy's own recipe can serve the app, and where the app says that it can serve."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mldeploy.project.detect.entry import Entry
from mldeploy.project.detect.findings import Found, Remark, Severity
from mldeploy.project.detect.frameworks import Interface
from mldeploy.project.detect.routes import Route, health


def unserved(entry: Found[Entry] | None, *, own: bool) -> Iterator[Remark]:
    """Why mldeploy's recipe cannot serve an app; with a Dockerfile of the folder's own it need not."""
    if entry is None or own or is_served(entry.value):
        return
    found = entry.value
    if found.framework == "Dash" and found.interface is Interface.SCRIPT:
        what = "is a Dash, which no server takes by itself"
        todo = "Add `server = app.server` below it: that is what is served."
    elif found.interface is not Interface.WSGI:
        own_server = found.interface is Interface.SCRIPT
        speaks = f"brings {found.framework}'s own server" if own_server else f"speaks ASGI ({found.framework})"
        what = f"{speaks}, and mldeploy's recipe serves WSGI apps"
        todo = "Write a Dockerfile that starts it: mldeploy builds, checks and deploys that one."
    elif found.start_in:
        what = f"works only when it is started in {found.start_in}/, where its own modules and files are"
        todo = f"Make that the project: `mldeploy -C {found.start_in} init`."
    elif found.factory:
        what = f"`{found.attribute}` returns the app, and what is served must be the app itself"
        todo = f"Write a wsgi.py: `from {found.module} import {found.attribute}` and `app = {found.attribute}()`."
    else:
        what = f"the module {found.module} has a name that cannot be imported"
        todo = "Rename the file or its folder: letters, digits and underscores."
    yield Remark("entry-not-served", Severity.ERROR, entry.source, what, todo)


def is_served(entry: Entry) -> bool:
    """Whether mldeploy's own recipe can serve an app: a WSGI object that can be imported from the folder."""
    names = (*entry.module.split("."), entry.attribute)
    plain = all(name.isidentifier() for name in names)
    return entry.interface is Interface.WSGI and not entry.factory and not entry.start_in and plain


def health_of(entry: Found[Entry] | None, found: tuple[Route, ...]) -> Found[str] | None:
    """The path that tells whether the app can serve: a route of its own, or a page that its framework always has."""
    route = health(found)
    if route or not entry:
        return path_of(route)
    usual = {"Dash": "/", "Gradio": "/", "Streamlit": "/_stcore/health", "FastAPI": "/docs"}
    known = usual.get(entry.value.framework)
    return Found(known, entry.source) if known else None


def no_health(entry: Found[Entry] | None, found: tuple[Route, ...], *, own: bool) -> Iterator[Remark]:
    """That nothing tells when the app can serve."""
    if entry and found and health_of(entry, found) is None:
        what = "has no page at / and no route such as /health, so nothing tells when it can serve"
        todo = "Add a route `/health` that answers 200, or name one: `health` in mldeploy.toml."
        yield Remark("no-health", Severity.WARNING if own else Severity.ERROR, entry.source, what, todo)


def path_of(route: Route | None) -> Found[str] | None:
    """A route's path, if it is one that a configuration can name."""
    usable = route is not None and re.fullmatch(r"/[!-~]*", route.path)
    return Found(route.path, route.source) if route and usable else None
