"""A stop loses no request: what was sent on a connection before the server stopped listening is answered."""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.image.server_process import Client, Response, ServerProcess, server_process

CLIENTS = 8
"""Of each kind: with a connection for each request, and with one that they keep."""
BEFORE = 40
"""Requests that are answered before the server is stopped."""
PATIENCE = 0.5
"""Seconds for which a server that stops waits at least for a client's next request (`mldeploy_limits`)."""

pytestmark = pytest.mark.parametrize("interface", ["wsgi", "asgi"])


class LoadGenerator:
    """Clients that send without a pause, and try nothing a second time. counts: what has become of their requests.

    A busy machine can make a client pause all the same, for longer than the server waits: such a request may be lost.
    """

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self.counts: Counter[str] = Counter()
        self.is_under_way = threading.Event()
        behaviours = (on_new_connections, on_kept_connections)
        self._threads = [threading.Thread(target=each, args=(self,)) for each in behaviours for _ in range(CLIENTS)]

    def run(self) -> None:
        """Stop the server under load, and wait for the clients, who end when nobody listens any more."""
        for each in self._threads:
            each.start()
        assert self.is_under_way.wait(60)
        assert self.server.stop() == 0
        for each in self._threads:
            each.join()

    def connect(self) -> Client | None:
        try:
            return self.server.client()
        except ConnectionRefusedError:
            return None

    def count(self, client: Client, since: float) -> float:
        """Send a request. since: when the client began to connect, or to send its last request.

        When it began to send this one; 0 if the connection cannot be used again.
        """
        begun = sent = time.monotonic()
        try:
            client.send(b"GET /slow?0.005 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            sent = time.monotonic()
            response = client.read()
        except OSError as error:
            self._count_lost(type(error).__name__, sent - since)
            return 0
        if response is None:
            self._count_lost("closed instead", sent - since)
            return 0
        self.counts["answered" if response.status == 200 else str(response.status)] += 1
        if self.counts["answered"] >= BEFORE:
            self.is_under_way.set()
        return 0 if response.closes else begun

    def _count_lost(self, how: str, pause: float) -> None:
        if pause < PATIENCE:
            self.counts[how] += 1


def on_new_connections(load: LoadGenerator) -> None:
    since = time.monotonic()
    while client := load.connect():
        load.count(client, since)
        client.close()
        since = time.monotonic()


def on_kept_connections(load: LoadGenerator) -> None:
    since = time.monotonic()
    while client := load.connect():
        while since := load.count(client, since):
            pass
        client.close()
        since = time.monotonic()


def test_ten_stops_under_load_lose_nothing(tmp_path: Path, interface: str) -> None:
    for number in range(10):
        with server_process(tmp_path / str(number), interface, workers=2) as server:
            load = LoadGenerator(server)
            load.run()
            assert {*load.counts} == {"answered"}, (number, load.counts, server.logged()[-2000:])


def test_a_request_that_comes_while_the_server_stops_is_the_connections_last(tmp_path: Path, interface: str) -> None:
    """The server does not wait for clients that keep their connections after that: it stops long before its limit."""
    attempts = (stop_between(tmp_path / str(number), interface) for number in range(20))
    last, held = next(filter(None, attempts))
    assert last.status == 200
    assert (held.status, held.closes) == (200, True)


def stop_between(folder: Path, interface: str) -> tuple[Response, Response] | None:
    """What a client gets last that goes on asking, and what one gets that waits for its response meanwhile.

    None if this machine made the first one pause for longer than the server waits.
    """
    with (
        server_process(folder, interface, GUNICORN_CMD_ARGS="--graceful-timeout=600") as server,
        closing(server.client()) as busy,
        closing(server.client()) as kept,
    ):
        busy.send(b"GET /held HTTP/1.1\r\nHost: localhost\r\n\r\n")
        begun = time.monotonic()
        response = kept.get()
        assert response is not None
        assert not response.closes
        stop = threading.Thread(target=server.stop)
        stop.start()
        while response is not None and not response.closes:
            since, begun = begun, time.monotonic()
            response, sent = ask(kept)
            assert response is not None or sent - since > PATIENCE
        server.release()
        held = busy.read()
        stop.join()
    assert held is not None
    return None if response is None else (response, held)


def ask(client: Client) -> tuple[Response | None, float]:
    """The response, if there is one, and when the request had been sent."""
    sent = time.monotonic()
    with suppress(OSError):
        client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        sent = time.monotonic()
        return client.read(), sent
    return None, sent


def test_a_worker_that_is_replaced_leaves_the_others_listening(tmp_path: Path, interface: str) -> None:
    """`max_requests` and a reload end a worker while the server goes on."""
    with server_process(tmp_path / "app", interface, workers=2, GUNICORN_CMD_ARGS="--max-requests=20") as server:
        responses = [server.get()]
        limit = time.monotonic() + 300
        # uvicorn looks ten times a second whether a worker has answered as many requests as it may.
        while server.logged().count("Booting worker") <= 3 and time.monotonic() < limit:
            responses.append(server.get())
        log = server.logged()
    assert {response and response.status for response in responses} == {200}
    assert log.count("Booting worker") > 3, "two were there at the start: more have been replaced"


def test_a_worker_stops_once_gunicorn_was_killed(tmp_path: Path, interface: str) -> None:
    """Else it would hold the port, and the next start would fail."""
    with (
        server_process(tmp_path / "app", interface) as server,
        closing(server.client()) as idle,
        closing(server.client()) as busy,
    ):
        assert idle.get() is not None
        busy.send(b"GET /slow?1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        server.process.kill()
        response = busy.read()
        assert idle.read() is None
        with pytest.raises(ConnectionRefusedError):
            server.client()
        log = server.logged()
    assert response is not None
    assert response.status == 200
    assert "Parent changed, shutting down" in log


def test_a_slow_request_does_not_keep_a_worker_whose_gunicorn_was_killed(tmp_path: Path, interface: str) -> None:
    arguments = "--graceful-timeout=1"
    with (
        server_process(tmp_path / "app", interface, GUNICORN_CMD_ARGS=arguments) as server,
        closing(server.client()) as idle,
        closing(server.client()) as slow,
    ):
        assert idle.get() is not None
        slow.send(b"GET /slow?600 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        server.process.kill()
        response = slow.read()  # it gives up long before the request has its answer
    assert response is None or response.status == 500
