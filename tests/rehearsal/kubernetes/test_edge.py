"""The reverse proxy forwards requests and responses unchanged."""

from __future__ import annotations

import http.client
import queue
import socket
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from mldeploy.rehearsal.kubernetes.edge.proxy import EdgeProxy
from mldeploy.rehearsal.kubernetes.edge.routing import Backend, RoutingRule, RoutingTable, covers, select_rule
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.store import Store, new_object
from mldeploy.rehearsal.kubernetes.objects.types import Object, ObjectKey

HERE = "127.0.0.1"


def address() -> str:
    """One of this machine's, at which nobody else listens."""
    number = uuid.uuid4().int
    return f"127.{number % 200 + 20}.{number // 200 % 250}.{number // 50000 % 250 + 2}"


PORT = 7391


class Upstream(ThreadingHTTPServer):
    """What a Pod answers. pieces: what a stream is still to say; None ends it, an exception breaks it off."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__((HERE, 0), _Answer)
        self.pieces: queue.Queue[bytes | Exception | None] = queue.Queue()
        Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Upstream

    def do_GET(self) -> None:
        if self.headers.get("Upgrade") == "echo":
            self._echo()
            return
        if self.path == "/stream":
            self._stream()
            return
        self._say(f"{self.command} {self.path} {self.headers['Host']} {self.headers['X-Forwarded-Proto']}".encode())

    do_HEAD = do_GET  # noqa: N815 - the parent's name

    def do_POST(self) -> None:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            self._say(b"".join(self._chunks()))
        else:
            self._say(self.rfile.read(int(self.headers["Content-Length"])))

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()

    def _echo(self) -> None:
        self.close_connection = True
        self.send_response(101)
        self.send_header("Connection", "Upgrade")
        self.end_headers()
        self.wfile.write(b"first;")
        while data := self.connection.recv(100):
            self.connection.sendall(data)

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while piece := self.server.pieces.get():
            if isinstance(piece, Exception):
                self.close_connection = True
                return
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def _say(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Set-Cookie", "a=1")
        self.send_header("Set-Cookie", "b=2")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name
        pass


def put(store: Store, resource: kinds.ApiResource, name: str, content: Object) -> None:
    metadata = {"name": name, "namespace": "space", "labels": {"app": "app"}}
    store.put(ObjectKey(resource, "space", name), new_object({"metadata": metadata, **content}))


def pod(store: Store, address: str) -> None:
    """One that says that it is ready."""
    conditions = [{"type": "Ready", "status": "True"}]
    put(store, kinds.PODS, f"at-{address}", {"spec": {}, "status": {"podIP": address, "conditions": conditions}})


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def store(upstream: Upstream) -> Store:
    made = Store()
    ports = [{"name": "http", "port": 80, "targetPort": upstream.server_address[1], "protocol": "TCP"}]
    put(made, kinds.SERVICES, "app", {"spec": {"selector": {"app": "app"}, "ports": ports}})
    pod(made, HERE)
    return made


@pytest.fixture
def client(store: Store) -> Iterator[http.client.HTTPConnection]:
    """One connection to the edge."""
    here, table = address(), RoutingTable(store)
    table.rules = {PORT: [RoutingRule("app.example.com", "/", (Backend("space", "app", "http"),))]}
    front = EdgeProxy(here, {PORT: None}, table)
    connection = http.client.HTTPConnection(here, PORT, timeout=120)
    yield connection
    connection.close()
    front.close()


def ask(client: http.client.HTTPConnection, method: str = "GET", path: str = "/", **more: object) -> bytes:
    client.request(method, path, headers={"Host": "app.example.com"}, **more)  # type: ignore[arg-type]
    return client.getresponse().read()


def test_several_requests_go_over_one_connection(client: http.client.HTTPConnection) -> None:
    assert ask(client, path="/a?b=c") == b"GET /a?b=c app.example.com http"
    used = client.sock
    assert ask(client, "POST", body=b"x" * 100_000) == b"x" * 100_000
    assert ask(client, "POST", body=iter((b"one ", b"two")), encode_chunked=True) == b"one two"
    assert ask(client, "HEAD") == b""
    assert ask(client, path="/d") == b"GET /d app.example.com http"
    assert client.sock is used


def test_every_header_of_the_same_name_comes_through(client: http.client.HTTPConnection) -> None:
    client.request("GET", "/", headers={"Host": "app.example.com"})
    answer = client.getresponse()
    assert answer.headers.get_all("Set-Cookie") == ["a=1", "b=2"]


def test_a_stream_arrives_piece_by_piece(client: http.client.HTTPConnection, upstream: Upstream) -> None:
    client.request("GET", "/stream", headers={"Host": "app.example.com"})
    upstream.pieces.put(b"first")
    answer = client.getresponse()
    assert answer.read1(100) == b"first"
    upstream.pieces.put(b"second")
    assert answer.read1(100) == b"second"
    upstream.pieces.put(None)
    assert answer.read() == b""


def test_a_stream_that_breaks_off_is_not_taken_for_whole(
    client: http.client.HTTPConnection, upstream: Upstream
) -> None:
    client.request("GET", "/stream", headers={"Host": "app.example.com"})
    upstream.pieces.put(b"first")
    upstream.pieces.put(ConnectionError())
    with pytest.raises(http.client.IncompleteRead):
        client.getresponse().read()


def test_another_protocol_may_be_spoken_from_then_on(client: http.client.HTTPConnection) -> None:
    client.connect()
    head = ("GET / HTTP/1.1", "Host: app.example.com", "Connection: keep-alive, Upgrade", "Upgrade: echo", "", "")
    client.sock.sendall("\r\n".join(head).encode())
    response = b""
    while not response.endswith(b"first;"):
        response += client.sock.recv(100)
    assert response.startswith(b"HTTP/1.1 101 ")
    for word in (b"one", b"two"):
        client.sock.sendall(word)
        assert client.sock.recv(100) == word
    client.sock.shutdown(socket.SHUT_WR)
    assert client.sock.recv(100) == b""


def test_a_pod_that_has_just_gone_is_passed_over(client: http.client.HTTPConnection, store: Store) -> None:
    pod(store, "127.0.0.2")
    assert [ask(client) for _ in range(4)] == [b"GET / app.example.com http"] * 4


def test_who_cannot_have_all_its_ports_has_none(store: Store) -> None:
    here = address()
    with socket.create_server((here, PORT + 1)):
        with pytest.raises(OSError, match="in use"):
            EdgeProxy(here, {PORT: None, PORT + 1: None}, RoutingTable(store))
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((here, PORT))


def test_an_absolute_target_names_the_host(client: http.client.HTTPConnection) -> None:
    client.request("GET", "http://app.example.com/x", headers={"Host": "elsewhere"})
    assert client.getresponse().read() == b"GET /x app.example.com http"


@pytest.mark.parametrize(
    ("host", "path", "path_of_rule"),
    [
        ("a.example.com", "/api/x", "/api"),
        ("a.example.com", "/apix", "/"),
        ("a.example.com", "/api/v1/x", "/api/v1/"),
        ("a.example.com", "/exact", "/exact"),
        ("b.example.com", "/wild/x", "/wild"),
        ("b.example.com", "/any", None),
        ("example.org", "/any", "/any"),
    ],
)
def test_the_narrowest_rule_is_chosen(host: str, path: str, path_of_rule: str | None) -> None:
    rules = [
        *(RoutingRule("a.example.com", each, ()) for each in ("/", "/api", "/api/v1/", "/exa")),
        RoutingRule("a.example.com", "/exact", (), exact=True),
        RoutingRule("*.example.com", "/wild", ()),
        RoutingRule("", "/any", ()),
    ]
    rule = select_rule(rules, host, path)
    assert (rule.path if rule else None) == path_of_rule


def test_a_wildcard_stands_for_one_label_or_for_several() -> None:
    hosts = ("a.example.com", "a.b.example.com", "example.com", "aexample.com")
    assert [covers("*.example.com", each, deep=False) for each in hosts] == [True, False, False, False]
    assert [covers("*.example.com", each, deep=True) for each in hosts] == [True, True, False, False]
