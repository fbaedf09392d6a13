"""The worker class of a WSGI app that requires access keys: never imported by mldeploy.

It is `mldeploy_wsgi`'s, and refuses a request without a key before its body is read: nobody else may fill the memory.
The check in front of the app (`mldeploy_access`) is made all the same.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

from gunicorn.workers import gthread  # type: ignore[import-untyped]  # it is the container's, not ours
from mldeploy_access import refuse_early  # type: ignore[import-not-found]  # these are beside this file in the image
from mldeploy_connection import Connection  # type: ignore[import-not-found]
from mldeploy_wsgi import WsgiWorker as UnkeyedWorker  # type: ignore[import-not-found]

_BEYOND_OURS = ("--certfile", "--keyfile", "--proxy-protocol")
"""As in `gunicorn_conf`, whose choice the command overrides."""


class KeyedWorker(UnkeyedWorker):  # type: ignore[misc]
    """See the module."""

    def _advance(self, connection: Connection) -> None:
        super()._advance(connection)
        request = connection.request
        if request is None or connection.is_busy or connection.is_closing or connection.is_closed:
            return
        if not getattr(request, "has_key", False):
            response = refuse_early(request.method, request.path, request.headers)
            request.has_key = response is None
            if response is not None:
                with suppress(OSError):
                    connection.output.sendall(response)
                self._close(connection)


_is_beyond = any(option in os.environ.get("GUNICORN_CMD_ARGS", "") for option in _BEYOND_OURS)
WsgiWorker: Any = gthread.ThreadWorker if _is_beyond else KeyedWorker
