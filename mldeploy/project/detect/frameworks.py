"""The web frameworks that are known, and how their objects are served."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Interface(StrEnum):
    """What a server must speak to an app."""

    WSGI = "wsgi"
    """PEP 3333."""
    ASGI = "asgi"
    SCRIPT = "script"
    """It brings its own server: the file is run with the framework's command."""


@dataclass(frozen=True)
class Kind:
    """A framework, and the interface of the objects that it makes."""

    framework: str
    interface: Interface


FLASK: Final = Kind("Flask", Interface.WSGI)
DASH: Final = Kind("Dash", Interface.SCRIPT)
"""Dash's own object is none that a server takes: that is the Flask below it, `server = app.server`."""
STREAMLIT: Final = Kind("Streamlit", Interface.SCRIPT)
GRADIO: Final = Kind("Gradio", Interface.SCRIPT)
PLAIN_WSGI: Final = Kind("WSGI", Interface.WSGI)
PLAIN_ASGI: Final = Kind("ASGI", Interface.ASGI)

MAKERS: Final = {
    "flask.Flask": FLASK,
    "flask.app.Flask": FLASK,
    "apiflask.APIFlask": FLASK,
    "flask_openapi3.OpenAPI": FLASK,
    "connexion.FlaskApp": FLASK,
    "fastapi.FastAPI": Kind("FastAPI", Interface.ASGI),
    "fastapi.applications.FastAPI": Kind("FastAPI", Interface.ASGI),
    "starlette.applications.Starlette": Kind("Starlette", Interface.ASGI),
    "quart.Quart": Kind("Quart", Interface.ASGI),
    "litestar.Litestar": Kind("Litestar", Interface.ASGI),
    "sanic.Sanic": Kind("Sanic", Interface.ASGI),
    "falcon.App": Kind("Falcon", Interface.WSGI),
    "falcon.API": Kind("Falcon", Interface.WSGI),
    "falcon.asgi.App": Kind("Falcon", Interface.ASGI),
    "bottle.Bottle": Kind("Bottle", Interface.WSGI),
    "bottle.default_app": Kind("Bottle", Interface.WSGI),
    "bottle.app": Kind("Bottle", Interface.WSGI),
    "dash.Dash": DASH,
    "dash.dash.Dash": DASH,
    "jupyter_dash.JupyterDash": DASH,
    "django.core.wsgi.get_wsgi_application": Kind("Django", Interface.WSGI),
    "django.core.asgi.get_asgi_application": Kind("Django", Interface.ASGI),
    "gradio.Interface": GRADIO,
    "gradio.Blocks": GRADIO,
    "gradio.ChatInterface": GRADIO,
    "gradio.TabbedInterface": GRADIO,
    "gradio.mount_gradio_app": Kind("FastAPI", Interface.ASGI),
    "gradio.routes.mount_gradio_app": Kind("FastAPI", Interface.ASGI),
    "asgiref.wsgi.WsgiToAsgi": PLAIN_ASGI,
    "a2wsgi.WSGIMiddleware": PLAIN_ASGI,
    "a2wsgi.ASGIMiddleware": PLAIN_WSGI,
}
"""What a call of these gives."""

HINT: Final = re.compile(
    rb"flask|fastapi|starlette|quart|litestar|sanic|falcon|bottle|dash|django|gradio|streamlit|connexion|openapi3"
    rb"|start_response|receive|[aw]sgi|\bapp\b|application|create_",
    re.IGNORECASE,
)
"""Bytes without which a file cannot make an app: what lacks them is not parsed."""
