"""The worker class of a WSGI app that requires access keys: never imported by mldeploy.

It is `mldeploy_wsgi`'s, and refuses a request without a key before its body is read: nobody else may fill the memory.
The check in front of the app (`mldeploy_access`) is made all the same.
"""

from __future__ import annotations

from contextlib import suppress

from mldeploy_access import refuse_early  # type: ignore[import-not-found]  # these are beside this file in the image
from mldeploy_connection import Connection  # type: ignore[import-not-found]
from mldeploy_worker import unless_gunicorns  # type: ignore[import-not-found]
from mldeploy_wsgi import WsgiWorker as UnkeyedWorker  # type: ignore[import-not-found]


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


WsgiWorker = unless_gunicorns(KeyedWorker)
