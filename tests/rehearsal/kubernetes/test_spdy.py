"""SPDY frames of port forwarding."""

from __future__ import annotations

import zlib

import pytest

from mldeploy.rehearsal.kubernetes.api.websocket import (
    DICTIONARY,
    DataFrame,
    Ping,
    SpdyFraming,
    StreamOpened,
    StreamReset,
)

HEADERS = {"streamtype": "data", "port": "80", "requestid": "0"}


def opening(stream: int, *, last: bool = False) -> bytes:
    """As a client opens a stream."""
    pairs = [each.encode() for pair in HEADERS.items() for each in pair]
    plain = len(HEADERS).to_bytes(4, "big") + b"".join(len(each).to_bytes(4, "big") + each for each in pairs)
    deflate = zlib.compressobj(zdict=DICTIONARY)
    content = stream.to_bytes(4, "big") + bytes(6) + deflate.compress(plain) + deflate.flush(zlib.Z_SYNC_FLUSH)
    return control(1, content, last=last)


def control(kind: int, content: bytes, *, last: bool = False) -> bytes:
    return bytes((0x80, 3, 0, kind, last)) + len(content).to_bytes(3, "big") + content


def test_the_dictionary_is_that_of_the_standard() -> None:
    assert zlib.adler32(DICTIONARY) == 0xE3C6A7C2, "the number by which every client names it"


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_frames_are_understood_however_they_are_cut(size: int) -> None:
    ping = control(6, b"\0\0\0\1")
    sent = b"".join((opening(1, last=True), ping, b"\0\0\0\3\0\0\0\2hi", control(4, bytes(4)), control(3, b"\0\0\0\3")))
    framing = SpdyFraming()
    frames: list[object] = []
    for begin in range(0, len(sent), size):
        frames += framing.read(sent[begin : begin + size])
    assert frames == [
        StreamOpened(1, HEADERS),
        DataFrame(1, last=True),
        Ping(ping),
        DataFrame(3, b"hi"),
        StreamReset(3),
    ]


def test_what_is_no_frame_ends_the_connection() -> None:
    with pytest.raises(ConnectionError):
        list(SpdyFraming().read(control(1, bytes(10) + b"nonsense")))
