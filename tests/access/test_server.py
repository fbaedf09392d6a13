"""What a client of an app with access keys gets: from the server in the image, for both interfaces."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from mldeploy.config.access_keys import AccessKey
from tests.access.server import keyed_server
from tests.image.server_process import PATIENCE, ServerProcess

OLD, NEW = AccessKey.make("old"), AccessKey.make("new")


@pytest.fixture(scope="module", params=["wsgi", "asgi"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with keyed_server(tmp_path_factory.mktemp("app"), request.param, OLD, NEW) as running:
        yield running


def ask(server: ServerProcess, path: str = "/", method: str = "GET", **headers: str) -> requests.Response:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.request(method, f"http://127.0.0.1:{server.port}{path}", headers=sent, timeout=PATIENCE)


def value(key: AccessKey) -> str:
    return key.value.reveal()


@pytest.mark.parametrize("key", [OLD, NEW])
def test_each_key_opens_the_app_in_either_header(server: ServerProcess, key: AccessKey) -> None:
    assert ask(server, Authorization=f"Bearer {value(key)}").json() == ["/", 0]
    assert ask(server, Authorization=f"bearer  {value(key)}").status_code == 200
    assert ask(server, X_API_Key=value(key)).json() == ["/", 0]
    assert ask(server, Authorization="Basic YTpi", X_API_Key=value(key)).status_code == 200


@pytest.mark.parametrize("path", ["/", "/predict_api", "/health/", "//health", "/healthy", "/health/../", "/?/health"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
def test_without_a_key_everything_but_the_health_check_is_401(server: ServerProcess, path: str, method: str) -> None:
    response = ask(server, path, method)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="mldeploy"'
    assert response.headers["Cache-Control"] == "no-store"
    if method != "HEAD":
        assert "access key" in response.json()["error"]


def test_the_health_check_needs_no_key(server: ServerProcess) -> None:
    assert ask(server, "/health").json() == ["/health", 0]
    assert ask(server, "/health", "HEAD").status_code == 200
    assert ask(server, "/health?verbose=1").status_code == 200
    assert ask(server, "/health", "POST").status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Bearer {value(OLD)[:-1]}"},
        {"Authorization": f"Bearer {value(OLD)}x"},
        {"Authorization": f"Bearer {value(OLD)},{value(OLD)}"},
        {"Authorization": f"Bearer {OLD.digest}"},
        {"X-API-Key": value(OLD).upper()},
        {"X-API-Key": "x" * 4000},
        {"X-API-Key": "\N{LATIN SMALL LETTER E WITH ACUTE}".encode().decode("latin-1")},
    ],
)
def test_a_wrong_key_is_401_and_says_so(server: ServerProcess, headers: dict[str, str]) -> None:
    response = ask(server, **headers)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="mldeploy", error="invalid_token"'


def test_the_scheme_must_be_bearer(server: ServerProcess) -> None:
    for scheme in ("Basic", "Token", "Bearerx", ""):
        assert ask(server, Authorization=f"{scheme} {value(OLD)}".strip()).status_code == 401
    assert ask(server, f"/?key={value(OLD)}&access_token={value(OLD)}").status_code == 401


def test_a_request_without_a_key_is_refused_before_its_body_is_sent(server: ServerProcess) -> None:
    client = server.client()
    client.send(b"POST /predict_api HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n")
    response = client.read()
    client.close()
    assert response is not None
    assert response.status == 401
    assert "www-authenticate" in response.headers.lower()


def test_a_long_body_with_a_key_arrives(server: ServerProcess) -> None:
    client = server.client()
    client.send(f"POST /long HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {value(NEW)}\r\n".encode())
    client.send(b"Content-Length: 300000\r\n\r\n")
    for _ in range(3):
        client.send(b"x" * 100_000)
    response = client.read()
    client.close()
    assert response is not None
    assert response.body == b'["/long", 300000]'


def test_a_connection_that_stays_open_needs_a_key_for_each_request(server: ServerProcess) -> None:
    client = server.client()
    for with_key in (True, False, True):
        field = f"X-API-Key: {value(OLD)}\r\n" if with_key else ""
        client.send(f"GET / HTTP/1.1\r\nHost: localhost\r\n{field}\r\n".encode())
        response = client.read()
        assert response is not None
        assert response.status == (200 if with_key else 401)
    client.close()


ECHO = """\
import json


def wsgi(environ, start_response):
    names = [name for name in environ if name.startswith("HTTP_")]
    print(sorted(environ.items()), flush=True)
    start_response("200 OK", [])
    return [json.dumps({name: environ[name] for name in names}).encode()]


async def asgi(scope, receive, send):
    if scope["type"] != "http":
        return
    print(scope, flush=True)
    fields = {"HTTP_" + name.decode().upper().replace("-", "_"): value.decode() for name, value in scope["headers"]}
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(fields).encode()})
"""


@pytest.mark.parametrize("interface", ["wsgi", "asgi"])
def test_neither_the_app_nor_the_log_sees_a_key(tmp_path: Path, interface: str) -> None:
    with keyed_server(tmp_path / "app", interface, OLD, app=ECHO) as server:
        for headers in ({"Authorization": f"Bearer {value(OLD)}"}, {"X_API_Key": value(OLD)}):
            fields = ask(server, "/", **headers).json()
            assert not {"HTTP_AUTHORIZATION", "HTTP_X_API_KEY"} & set(fields)
        both = ask(server, "/", Authorization="Basic YTpi", X_API_Key=value(OLD)).json()
        assert both["HTTP_AUTHORIZATION"] == "Basic YTpi"
        own = ask(server, "/", Authorization=f"Bearer {value(OLD)}", X_API_Key="the app's own").json()
        assert own["HTTP_X_API_KEY"] == "the app's own"
        ask(server, Authorization=f"Bearer {value(NEW)}")
        server.stop()
        assert value(OLD) not in server.logged()
        assert value(NEW) not in server.logged()


@pytest.mark.parametrize("interface", ["wsgi", "asgi"])
@pytest.mark.parametrize(
    "digests", ["", "zz", "abcd", f"{OLD.digest} broken"], ids=["none", "no hex", "short", "one broken"]
)
def test_without_readable_digests_nothing_is_served(tmp_path: Path, interface: str, digests: str) -> None:
    with keyed_server(tmp_path / "app", interface, digests=digests) as server:
        response = ask(server, X_API_Key=value(OLD))
        assert response.status_code == 503
        assert "no access keys" in response.json()["error"]
        assert ask(server).status_code == 503
        assert ask(server, "/health").status_code == 200


@pytest.mark.parametrize("interface", ["wsgi", "asgi"])
def test_a_key_has_a_rate_of_its_own_in_all_processes_together(tmp_path: Path, interface: str) -> None:
    with keyed_server(tmp_path / "app", interface, OLD, NEW, rate="0.01", workers=2) as server:
        statuses = [ask(server, X_API_Key=value(OLD)).status_code for _ in range(12)]
        assert statuses == [200, *[429] * 11]
        refused = ask(server, X_API_Key=value(OLD))
        assert 1 <= int(refused.headers["Retry-After"]) <= 100
        assert ask(server, X_API_Key=value(NEW)).status_code == 200
        assert ask(server, "/health").status_code == 200


@pytest.mark.parametrize("own", ["worker_class = 'gthread'\nthreads = 2\n", "wsgi_app = 'served:wsgi'\n"])
def test_a_gunicorn_configuration_of_the_users_cannot_open_the_app(tmp_path: Path, own: str) -> None:
    with keyed_server(tmp_path / "app", "wsgi", OLD, own=own) as server:
        assert ask(server).status_code == 401
        assert ask(server, X_API_Key=value(OLD)).status_code == 200


def test_a_websocket_needs_a_key(tmp_path: Path) -> None:
    with keyed_server(tmp_path / "app", "asgi", OLD) as server:
        assert b" 403 " in _handshake(server, "") or b" 401 " in _handshake(server, "")
        assert b" 101 " in _handshake(server, f"X-API-Key: {value(OLD)}\r\n")


def _handshake(server: ServerProcess, field: str) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as connection:
        request = "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        request += "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        connection.sendall(f"{request}{field}\r\n".encode())
        return connection.recv(4096).split(b"\r\n")[0]
