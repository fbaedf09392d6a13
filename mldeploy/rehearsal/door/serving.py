"""HTTP servers of the rehearsal's own."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

if TYPE_CHECKING:
    from mldeploy.rehearsal.door.frontdoor import Application


class Silent(WSGIRequestHandler):
    """Writes no line for a request: whoever wants to know asks the front door."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


def listening(host: str, port: int, application: Application, tls: ssl.SSLContext | None = None) -> BaseWSGIServer:
    """A server that listens and does not answer yet. Raises OSError where the address is taken or not permitted."""
    try:
        server = make_server(host, port, application, threaded=True, request_handler=Silent)
    except SystemExit as error:  # the library means to end the program then
        raise OSError(f"{host}:{port} cannot be listened on") from error
    if tls is not None:
        # The handshake is left to each connection's own thread: a client that is slow in it keeps nobody waiting.
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        server.ssl_context = tls
    return server


def serve(server: BaseWSGIServer) -> None:
    """Answer, in a thread of its own, until `shutdown`."""
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()


def cut(connection: socket.socket) -> ConnectionResetError:
    """Break a connection. What is returned is to be raised: the server drops the rest without a word."""
    with suppress(OSError):  # its client may have left
        connection.shutdown(socket.SHUT_RDWR)
    return ConnectionResetError()
