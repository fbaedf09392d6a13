"""Waiting for sockets: which of them can be read, whatever their numbers."""

from __future__ import annotations

import fcntl
import resource
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from mldeploy.core.sockets import readable

HIGH = 1500
"""Above what `select` takes."""


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair()
    with one, other:
        yield one, other


def test_what_has_been_sent_can_be_read(pair: tuple[socket.socket, socket.socket]) -> None:
    one, other = pair
    assert readable([one, other], 0) == []
    one.send(b"x")
    assert readable([one, other]) == [other]


def test_the_end_can_be_read(pair: tuple[socket.socket, socket.socket]) -> None:
    one, other = pair
    one.close()
    assert readable([other], 5) == [other]


def test_a_process_may_have_many_open(pair: tuple[socket.socket, socket.socket]) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, HIGH + 10), hard))
    try:
        one, other = pair
        with closing(socket.socket(fileno=fcntl.fcntl(other, fcntl.F_DUPFD, HIGH))) as high:
            one.send(b"x")
            assert readable([high], 5) == [high]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
