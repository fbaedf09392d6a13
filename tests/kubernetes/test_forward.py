"""The door to a pod lets in whoever names it, and no page of another host."""

from __future__ import annotations

import socket

import pytest

from mldeploy.providers.kubernetes.forward import read_request

DOOR = "127.0.0.1:4711"


def sent(*pieces: bytes) -> bytes | None:
    """What is let through of what a client sends."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for piece in pieces:
            theirs.sendall(piece)
        return read_request(ours, DOOR)


def test_a_request_to_the_door_is_let_through_whole() -> None:
    request = b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1:4711\r\nContent-Length: 2\r\n\r\n{}"
    assert sent(request[:20], request[20:]) == request


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: evil.example:4711\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1:4711\r\nHost: evil.example\r\n\r\n",
        b"GET http://evil.example/ HTTP/1.1\r\nHost: 127.0.0.1:4711\r\n\r\n",
        b"GET / HTTP/1.1\r\nX-Host: 127.0.0.1:4711\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\nHost: 127.0.0.1:4711\r\n",
    ],
)
def test_a_request_that_names_another_host_is_not(head: bytes) -> None:
    assert sent(head) is None


def test_a_client_that_leaves_is_no_request() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        theirs.sendall(b"GET / HTTP/1.1\r\n")
        theirs.close()
        with pytest.raises(ConnectionResetError):
            read_request(ours, DOOR)
