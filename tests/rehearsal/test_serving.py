"""The rehearsals' HTTP servers keep their connections, as the clouds' do, and none outlives its server."""

from __future__ import annotations

import http.client
import socket
import ssl
import struct
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from werkzeug.serving import BaseWSGIServer
from werkzeug.wrappers import Request, Response

from mldeploy.core.sockets import readable
from mldeploy.rehearsal.gateway.serving import Authority, break_connection, create_server, serve

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def application(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    """Answers in the way that the path names."""
    request = Request(environ)
    match request.path:
        case "/echo":
            response = Response(request.get_data())
        case "/stream":
            response = Response(iter((b"one", b"", b"two")))
        case "/empty":
            response = Response(status=204)
        case "/cut":
            raise break_connection(environ["werkzeug.socket"])
        case "/broken":
            raise ValueError("broken")
        case "/late":
            readable([environ["werkzeug.socket"]])  # the client has disconnected
            response = Response(iter((b"one", b"two")))
        case "/short":
            start("200 OK", [("Content-Length", "10")])
            return [b"short"]
        case _:  # the body is left unread
            response = Response("no", 403)
    return response(environ, start)


Served = tuple[BaseWSGIServer, http.client.HTTPConnection]


@pytest.fixture(params=["http", "https"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Served]:
    """A server, and a connection to it."""
    authority = Authority(tmp_path) if request.param == "https" else None
    server = create_server("127.0.0.1", 0, application, authority.context("127.0.0.1") if authority else None)
    serve(server)
    connection: http.client.HTTPConnection
    if authority:
        context = ssl.create_default_context(cafile=str(authority.bundle))
        connection = http.client.HTTPSConnection("127.0.0.1", server.port, context=context, timeout=60)
    else:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    yield server, connection
    connection.close()
    server.shutdown()


def ask(connection: http.client.HTTPConnection, method: str, path: str, body: object = None) -> tuple[int, bytes]:
    connection.request(method, path, body, encode_chunked=not isinstance(body, bytes | None))  # type: ignore[arg-type]
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_requests_of_every_kind_share_a_connection(server: Served) -> None:
    _, connection = server
    ask(connection, "GET", "/stream")
    first: socket.socket = connection.sock
    body = b"x" * 200_000
    for _ in range(2):
        assert ask(connection, "GET", "/stream") == (200, b"onetwo")
        assert ask(connection, "POST", "/echo", body) == (200, body)
        assert ask(connection, "POST", "/refused", body) == (403, b"no")
        assert ask(connection, "DELETE", "/empty") == (204, b"")
        assert ask(connection, "HEAD", "/stream") == (200, b"")
    assert connection.sock is first


def test_a_body_in_chunks_ends_where_it_ends(server: Served) -> None:
    _, connection = server
    for path, expected in (("/echo", (200, b"onetwo")), ("/refused", (403, b"no"))):
        connection.request("POST", path, iter((b"one", b"two")), {"Transfer-Encoding": "chunked"}, encode_chunked=True)
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == expected


def test_an_answer_that_is_shorter_than_it_says_ends_with_its_connection(server: Served) -> None:
    with pytest.raises(http.client.IncompleteRead):
        ask(server[1], "GET", "/short")


def test_an_application_that_fails_is_an_answer(server: Served) -> None:
    _, connection = server
    assert ask(connection, "GET", "/broken")[0] == 500
    assert ask(connection, "GET", "/stream") == (200, b"onetwo")


def test_a_connection_that_is_cut_has_no_answer(server: Served) -> None:
    with pytest.raises((ConnectionError, http.client.RemoteDisconnected, ssl.SSLError)):
        ask(server[1], "GET", "/cut")


def test_a_client_that_wants_to_leave_is_let_go(server: Served) -> None:
    _, connection = server
    connection.request("GET", "/stream", headers={"Connection": "close"})
    answer = connection.getresponse()
    assert answer.read() == b"onetwo"
    assert answer.getheader("Connection") == "close"


def test_a_client_that_has_disconnected_is_no_error(
    server: Served, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    running, connection = server
    ended, shut_down = threading.Event(), running.shutdown_request

    def end(request: socket.socket) -> None:
        shut_down(request)
        ended.set()

    monkeypatch.setattr(running, "shutdown_request", end)
    connection.request("GET", "/late")
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close with a reset
    connection.close()
    assert ended.wait(60)
    assert capfd.readouterr().err == ""


def test_no_connection_outlives_its_server(server: Served) -> None:
    running, connection = server
    ask(connection, "GET", "/stream")
    running.shutdown()
    with pytest.raises((ConnectionError, http.client.RemoteDisconnected, ssl.SSLError)):
        ask(connection, "GET", "/stream")
