"""The frame of every HTML page of the server: no resource from elsewhere, and a policy that allows none."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from html import escape
from pathlib import Path

from mldeploy_model.server.http import HTML, Response

_HERE = Path(__file__).parent
_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E"
    "%3Crect width='32' height='32' rx='7' fill='%230b6b5f'/%3E"
    "%3Cpath d='M8 23V9l8 8 8-8v14' fill='none' stroke='%23fff' stroke-width='4'/%3E%3C/svg%3E"
)


def respond_page(title: str, main: str, script: str = "", status: int = 200) -> Response:
    """A page of `main`, which is HTML already, with the common style and at most one script."""
    style = read_asset("page.css")
    code = f"<script>{script}</script>" if script else ""
    text = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f'<title>{escape(title)}</title><link rel="icon" href="{_ICON}"><style>{style}</style></head>'
        f"<body><main>{main}</main>{code}</body></html>"
    )
    return Response(text.encode(), status, HTML, {"Content-Security-Policy": _policy(style, script)})


@lru_cache
def read_asset(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


@lru_cache
def _policy(style: str, script: str) -> str:
    code = f"script-src {_digest(script)}; " if script else ""
    return (
        f"default-src 'none'; style-src {_digest(style)}; {code}img-src data:; connect-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    )


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
