"""Which worker class serves a WSGI app in our image: never imported by mldeploy.

Ours speaks neither TLS nor the PROXY protocol. Where GUNICORN_CMD_ARGS switches one of them on, which only the
container's start knows, gunicorn's own threaded worker serves: ours would answer in plain text on a port meant for TLS.
"""

from __future__ import annotations

import os
from typing import Any

from gunicorn.workers import gthread  # type: ignore[import-untyped]  # it is the container's, not ours
from mldeploy_wsgi import WsgiWorker as OurWorker  # type: ignore[import-not-found]  # it is beside this file in the image

_BEYOND_OURS = ("--certfile", "--keyfile", "--proxy-protocol")


def unless_gunicorns(ours: Any) -> Any:
    """Return this worker class, or gunicorn's own where the container's variables call for it."""
    is_beyond = any(option in os.environ.get("GUNICORN_CMD_ARGS", "") for option in _BEYOND_OURS)
    return gthread.ThreadWorker if is_beyond else ours


WsgiWorker = unless_gunicorns(OurWorker)
