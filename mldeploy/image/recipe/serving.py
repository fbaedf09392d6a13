"""The container's command: our server, or the app's own command."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from mldeploy.config.access_keys import KEY
from mldeploy.config.kinds import pieces
from mldeploy.config.settings import App

APP = "/app"
"""The project's folder in the image."""

GUNICORN_FILE = "gunicorn.conf.py"
"""The file that gunicorn reads in its start folder."""

CONFIGURATION = "/venv/gunicorn_conf.py"
WORKERS = {"asgi": "mldeploy_asgi.AsgiWorker", "wsgi": "mldeploy_worker.WsgiWorker"}
"""Our worker classes, by interface. The image can import their modules."""


@dataclass(frozen=True)
class GunicornFile:
    """The user's gunicorn.conf.py, which takes precedence. path: below the project.

    has_worker, has_chdir: it sets the worker class or the folder. has_tls: it sets what only gunicorn's own worker
    supports: TLS or the PROXY protocol.
    """

    path: str
    has_worker: bool
    has_chdir: bool
    has_tls: bool = False


def server_interface(app: App) -> str:
    """Return the interface of our server: "wsgi", "asgi", or "" if the app has its own."""
    return "" if app.command else app.interface


def server_command(app: App, own: GunicornFile | None) -> tuple[str, ...]:
    """Return the words of the image's CMD.

    A custom command is run by a shell, which expands the variables and then executes the command, so that signals reach
    the server. All other characters are quoted.
    """
    if app.command:
        return ("sh", "-c", " ".join(("exec", *map(_quote_word, app.command))))
    return ("gunicorn", *_configuration_arguments(app, own), *_worker_arguments(app, own), _app_argument(app))


def _worker_arguments(app: App, own: GunicornFile | None) -> tuple[str, ...]:
    """Return gunicorn's option for our worker, which slow clients cannot hold up, unless the user chooses another.

    Our configuration names the one for WSGI itself, unless it is to look for access keys.
    """
    is_wsgi = app.interface == "wsgi"
    is_named = own is None and is_wsgi and app.access != KEY
    if is_named or (own and (own.has_worker or (own.has_tls and is_wsgi))):
        return ()
    worker = "mldeploy_access_worker.WsgiWorker" if is_wsgi and app.access == KEY else WORKERS[app.interface]
    return (f"--worker-class={worker}",)


def _app_argument(app: App) -> str:
    """Return gunicorn's application argument: the entry, with `mldeploy_health` and `mldeploy_access` around it."""
    entry = f"mldeploy_health:{app.interface}({app.entry!r})" if app.health_by == "server" else app.entry
    return f"mldeploy_access:{app.interface}({entry!r})" if app.access == KEY else entry


def start_folder(app: App, own: GunicornFile | None) -> str:
    """Return the container's working directory, absolute: `chdir`, unless gunicorn changes to it."""
    goes_itself = own is not None and own.has_chdir and not app.command
    return APP if goes_itself else f"{APP}/{app.chdir}".rstrip("/")


def _configuration_arguments(app: App, own: GunicornFile | None) -> tuple[str, ...]:
    """Return gunicorn's configuration option, unless the file is in its start folder."""
    if own is None:
        return (f"--config={CONFIGURATION}",)
    return () if f"{APP}/{own.path}" == f"{start_folder(app, own)}/{GUNICORN_FILE}" else (f"--config={APP}/{own.path}",)


def _quote_word(word: str) -> str:
    """Quote a word for the shell, with its variables in double quotes."""
    quoted = (f'"${{{piece.text}}}"' if piece.is_variable else shlex.quote(piece.text) for piece in pieces(word))
    return "".join(quoted) or "''"
