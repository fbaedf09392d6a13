"""What the container runs: our server with the app, or the app's own command. Pure: words from settings."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from mldeploy.config.settings import App
from mldeploy.config.words import pieces

APP = "/app"
"""Where the project's folder is in the image."""

GUNICORN_FILE = "gunicorn.conf.py"
"""What gunicorn reads by itself in the folder where it starts."""

CONFIGURATION = "/venv/gunicorn_conf.py"
ASGI_WORKER = "mldeploy_asgi.Worker"
"""The class in `mldeploy_asgi.py`, which the image can import."""


@dataclass(frozen=True)
class GunicornFile:
    """A gunicorn.conf.py of the user's: what it says holds. path: below the project.

    has_worker, has_chdir: it names a worker class, or a folder to go to.
    """

    path: str
    has_worker: bool
    has_chdir: bool


def interface(app: App) -> str:
    """What a server of ours must speak: "wsgi", "asgi", or "" where the app brings its own."""
    return "" if app.command else app.interface


def command(app: App, own: GunicornFile | None) -> tuple[str, ...]:
    """The words of the image's CMD.

    No shell takes part for gunicorn. For a command of the user's one does, to fill in the variables, and then makes
    way for it: signals reach the server itself. Every other character is quoted.
    """
    if app.command:
        return ("sh", "-c", " ".join(("exec", *map(_quoted, app.command))))
    worker = f"--worker-class={ASGI_WORKER}"
    asgi = [worker] if app.interface == "asgi" and not (own and own.has_worker) else []
    return ("gunicorn", *_configuration(app, own), *asgi, _served(app))


def _served(app: App) -> str:
    """What gunicorn is told to load: the entry, or `mldeploy_health.py` with the entry in its hands."""
    return f"mldeploy_health:{app.interface}({app.entry!r})" if app.health_by == "server" else app.entry


def folder(app: App, own: GunicornFile | None) -> str:
    """Where the container starts, an absolute path in the image: its `chdir`, unless gunicorn goes there by itself."""
    goes_itself = own is not None and own.has_chdir and not app.command
    return APP if goes_itself else f"{APP}/{app.chdir}".rstrip("/")


def _configuration(app: App, own: GunicornFile | None) -> tuple[str, ...]:
    """Where gunicorn finds its configuration: one in the folder where it starts, it finds by itself."""
    if own is None:
        return (f"--config={CONFIGURATION}",)
    return () if f"{APP}/{own.path}" == f"{folder(app, own)}/{GUNICORN_FILE}" else (f"--config={APP}/{own.path}",)


def _quoted(word: str) -> str:
    """A word as the shell reads it: variables in double quotes, where no value can become another word."""
    quoted = (f'"${{{piece.text}}}"' if piece.is_variable else shlex.quote(piece.text) for piece in pieces(word))
    return "".join(quoted) or "''"
