"""What the client of a running app makes of what it hears, or does not."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest
import trustme

from mldeploy.app.client import AnswerError, AppClient, GoldenError, GoldenRow, NoAnswer, NoAnswerError
from mldeploy.core.errors import ExitCode


class Server(ThreadingHTTPServer):
    """Answers as it is told: a status, headers, a body; and remembers what it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status = 200
        self.extra: dict[str, str] = {}
        self.body = b"{}"
        self.seen: list[tuple[str, str, bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_any(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append((self.command, self.path, sent))
        self.send_response(self.server.status)
        for name, value in self.server.extra.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.server.body)

    do_GET = do_POST = do_any  # noqa: N815 - named by the base class

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the base class
        """It is nobody's business."""


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(Server()) as server:
        yield server


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def app(server: Server) -> Iterator[AppClient]:
    with AppClient(server.url) as app:
        yield app


@pytest.mark.parametrize("status", [200, 204])
def test_healthy(server: Server, app: AppClient, status: int) -> None:
    server.status = status
    app.health("/health")
    assert server.seen == [("GET", "/health", b"")]


def test_redirect_is_no_health_and_says_where_it_leads(server: Server, app: AppClient) -> None:
    server.status, server.extra, server.body = 301, {"Location": "/health/"}, b"\n  Moved   \nfor good"
    with pytest.raises(AnswerError) as caught:
        app.health("/health")
    error = caught.value
    assert (error.status, error.location, error.line) == (301, "/health/", "Moved")
    assert error.what == f"answers 301 Moved Permanently, to {server.url}/health/: Moved"
    assert error.where == f"{server.url}/health"
    assert error.exit_code is ExitCode.REMOTE
    assert len(server.seen) == 1


def test_error_of_the_app_is_quoted_shortened(server: Server, app: AppClient) -> None:
    server.status, server.body = 400, b"age: must be a number " + b"!" * 1000
    with pytest.raises(AnswerError) as caught:
        app.predict("/predict_api", {"age": "old"})
    assert caught.value.what.startswith("answers 400 Bad Request: age: must be a number")
    assert len(caught.value.line) < 250
    assert server.seen == [("POST", "/predict_api", b'{"age": "old"}')]


def test_a_path_that_is_no_route_is_a_matter_of_the_configuration(server: Server, app: AppClient) -> None:
    server.status = 404
    with pytest.raises(AnswerError) as caught:
        app.predict("/predict_api", {"age": 42})
    assert "`predict`" in caught.value.todo


def test_prediction_is_the_json_that_is_answered(server: Server, app: AppClient) -> None:
    server.body = b'{"prediction": 9235.01}'
    assert app.predict("/predict_api", {"age": 42}) == {"prediction": 9235.01}
    server.body = b"<html>hello</html>"
    with pytest.raises(AnswerError, match="the answer is not JSON: <html>hello</html>"):
        app.predict("/predict_api", {"age": 42})


@contextmanager
def one_answer(answer: bytes | None) -> Iterator[str]:
    """A URL where one connection gets some bytes and is closed; with None, it gets nothing until the test is over."""
    over = Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer) if answer is not None else over.wait()

        thread = Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        over.set()
        thread.join()


@pytest.mark.parametrize(
    ("answer", "silence"),
    [(b"", NoAnswer.CUT), (b"220 mail ready\r\n", NoAnswer.GARBLED), (None, NoAnswer.LATE)],
)
def test_silence_has_its_kind(answer: bytes | None, silence: NoAnswer) -> None:
    with one_answer(answer) as url, AppClient(url) as app, pytest.raises(NoAnswerError) as caught:
        app.health("/health", within=0.3 if answer is None else 300)
    assert caught.value.silence is silence


def test_nobody_listens() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        with AppClient(url) as app, pytest.raises(NoAnswerError) as caught:
            app.health("/health")
    assert caught.value.silence is NoAnswer.REFUSED
    assert caught.value.exit_code is ExitCode.REMOTE


@pytest.fixture
def row(tmp_path: Path) -> Callable[..., GoldenRow]:
    def write(**tolerance: float) -> GoldenRow:
        file = tmp_path / "golden.json"
        document = {
            "path": "/predict_api",
            "request": {"age": 42},
            "expect": {"prediction": 100},
            "tolerance": tolerance,
        }
        file.write_text(json.dumps(document))
        return GoldenRow.load(file)

    return write


def test_golden_row(server: Server, app: AppClient, row: Callable[..., GoldenRow]) -> None:
    server.body = b'{"prediction": 100.5, "currency": "EUR"}'
    row(relative=0.01).check(app)
    assert server.seen == [("POST", "/predict_api", b'{"age": 42}')]
    with pytest.raises(GoldenError) as caught:
        row().check(app)
    assert caught.value.difference == "prediction: 100.5, expected 100"
    assert caught.value.where == f"{server.url}/predict_api"


def test_a_certificate_of_an_authority_that_is_named_is_trusted(tmp_path: Path) -> None:
    authority, bundle = trustme.CA(), tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(bundle))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server = Server()
    server.socket = context.wrap_socket(server.socket, server_side=True)
    url = server.url.replace("http:", "https:")
    with serving(server):
        with AppClient(url, bundle) as app:
            app.health("/health")
        with AppClient(url) as app, pytest.raises(NoAnswerError) as refused:
            app.health("/health")
    assert refused.value.silence is NoAnswer.UNTRUSTED
