"""A server that gives up an idle client looks first whether it has sent a request meanwhile."""

from __future__ import annotations

import importlib
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import mldeploy.image

LATE = time.monotonic() + 3600
"""Nobody's patience lasts so long."""


@pytest.fixture(autouse=True)
def server_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the image, where they lie beside the app."""
    monkeypatch.syspath_prepend(Path(mldeploy.image.__file__).parent / "server")


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The client's end and the server's."""
    client, server = socket.socketpair()
    with closing(client), closing(server):
        yield client, server


@pytest.mark.parametrize("has_sent", [False, True])
def test_wsgi(pair: tuple[socket.socket, socket.socket], has_sent: bool) -> None:
    clients: Any = importlib.import_module("mldeploy_clients")
    connections: Any = importlib.import_module("mldeploy_connection")
    dropped: list[object] = []
    worker = SimpleNamespace(_patience=lambda _: 0.0, _drop=dropped.append)
    connection = connections.Connection(pair[1], None, None, print)
    if has_sent:
        pair[0].sendall(b"GET")
    clients.ClientWorker._check_time(worker, connection, LATE)
    assert dropped == ([] if has_sent else [connection])


@pytest.mark.parametrize("has_sent", [False, True])
def test_asgi(pair: tuple[socket.socket, socket.socket], has_sent: bool) -> None:
    guard: Any = importlib.import_module("mldeploy_guard")
    closed: list[bool] = []

    class Protocol(guard.Guard):  # type: ignore[misc]  # it has no type here
        begun, idle_since, interval, has_asked, cycle, timeout_keep_alive = 0.0, 0.0, 0.0, True, None, 75
        transport = SimpleNamespace(
            closing=0.0,
            get_write_buffer_size=lambda: 0,
            get_extra_info=lambda _: pair[1],
            close_now=lambda: closed.append(True),
        )

    if has_sent:
        pair[0].sendall(b"GET")
    Protocol().check_time(LATE, 1.0)
    assert closed == ([] if has_sent else [True])


def test_all_that_waits_in_a_backlog_is_accepted_at_a_stop() -> None:
    accept_all = importlib.import_module("mldeploy_asgi").accept_all
    with socket.create_server(("127.0.0.1", 0)) as listener:
        clients = [socket.create_connection(listener.getsockname()) for _ in range(5)]
        accepted = accept_all([listener])
    try:
        assert sorted(each.getpeername() for each in accepted) == sorted(each.getsockname() for each in clients)
        assert not any(each.getblocking() for each in accepted)
    finally:
        for each in (*clients, *accepted):
            each.close()
