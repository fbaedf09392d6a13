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
class FrameworkObject:
    """A framework, and the interface of the objects that it makes."""

    framework: str
    interface: Interface


FLASK: Final = FrameworkObject("Flask", Interface.WSGI)
DASH: Final = FrameworkObject("Dash", Interface.SCRIPT)
"""Dash's own object is none that a server takes: that is the Flask below it, `server = app.server`."""
STREAMLIT: Final = FrameworkObject("Streamlit", Interface.SCRIPT)
GRADIO: Final = FrameworkObject("Gradio", Interface.SCRIPT)
AIOHTTP: Final = FrameworkObject("aiohttp", Interface.SCRIPT)
TORNADO: Final = FrameworkObject("Tornado", Interface.SCRIPT)
PLAIN_WSGI: Final = FrameworkObject("WSGI", Interface.WSGI)
PLAIN_ASGI: Final = FrameworkObject("ASGI", Interface.ASGI)

MAKERS: Final = {
    "flask.Flask": FLASK,
    "flask.app.Flask": FLASK,
    "apiflask.APIFlask": FLASK,
    "flask_openapi3.OpenAPI": FLASK,
    "connexion.FlaskApp": FLASK,
    "fastapi.FastAPI": FrameworkObject("FastAPI", Interface.ASGI),
    "fastapi.applications.FastAPI": FrameworkObject("FastAPI", Interface.ASGI),
    "starlette.applications.Starlette": FrameworkObject("Starlette", Interface.ASGI),
    "quart.Quart": FrameworkObject("Quart", Interface.ASGI),
    "litestar.Litestar": FrameworkObject("Litestar", Interface.ASGI),
    "sanic.Sanic": FrameworkObject("Sanic", Interface.ASGI),
    "falcon.App": FrameworkObject("Falcon", Interface.WSGI),
    "falcon.API": FrameworkObject("Falcon", Interface.WSGI),
    "falcon.asgi.App": FrameworkObject("Falcon", Interface.ASGI),
    "bottle.Bottle": FrameworkObject("Bottle", Interface.WSGI),
    "bottle.default_app": FrameworkObject("Bottle", Interface.WSGI),
    "bottle.app": FrameworkObject("Bottle", Interface.WSGI),
    "dash.Dash": DASH,
    "dash.dash.Dash": DASH,
    "jupyter_dash.JupyterDash": DASH,
    "django.core.wsgi.get_wsgi_application": FrameworkObject("Django", Interface.WSGI),
    "django.core.asgi.get_asgi_application": FrameworkObject("Django", Interface.ASGI),
    "gradio.Interface": GRADIO,
    "gradio.Blocks": GRADIO,
    "gradio.ChatInterface": GRADIO,
    "gradio.TabbedInterface": GRADIO,
    "gradio.mount_gradio_app": FrameworkObject("FastAPI", Interface.ASGI),
    "gradio.routes.mount_gradio_app": FrameworkObject("FastAPI", Interface.ASGI),
    "aiohttp.web.Application": AIOHTTP,
    "tornado.web.Application": TORNADO,
    "asgiref.wsgi.WsgiToAsgi": PLAIN_ASGI,
    "a2wsgi.WSGIMiddleware": PLAIN_ASGI,
    "a2wsgi.ASGIMiddleware": PLAIN_WSGI,
}
"""What a call of these gives."""

HINT: Final = re.compile(
    rb"flask|fastapi|starlette|quart|litestar|sanic|falcon|bottle|dash|django|gradio|streamlit|connexion|openapi3|aiohttp|tornado"
    rb"|start_response|receive|[aw]sgi|\bapp\b|application|create_",
    re.IGNORECASE,
)
"""Bytes without which a file cannot make an app: what lacks them is not parsed."""
