"""A conversation with a program in a container: what it is given, and what it says, as the engine frames it.

https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import suppress

OUT, ERR = 1, 2
_HEAD = 8
_CHUNK = 1 << 16


class Talk:
    """connection: to the program; whoever waits for what it says polls it. tty: all that it says is one stream.

    code: its exit status once it has ended. resize: the size of its terminal, columns and rows.
    """

    def __init__(
        self, connection: socket.socket, *, tty: bool, code: Callable[[], int], resize: Callable[[int, int], None]
    ) -> None:
        self.connection = connection
        self.code = code
        self.resize = resize
        self._tty = tty
        self._rest = b""

    def send(self, data: bytes) -> None:
        """Raises OSError if it does not listen any more."""
        self.connection.sendall(data)

    def end_input(self) -> None:
        """Nothing more will be sent."""
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)

    def received(self) -> list[tuple[int, bytes]] | None:
        """What has come, each with the stream that it was said on; None: that was all."""
        try:
            data = self.connection.recv(_CHUNK)
        except OSError:
            return None
        if not data:
            return None
        return [(OUT, data)] if self._tty else list(self._frames(data))

    def close(self) -> None:
        self.connection.close()

    def _frames(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        self._rest += data
        while len(self._rest) >= _HEAD:
            end = _HEAD + int.from_bytes(self._rest[4:_HEAD], "big")
            if len(self._rest) < end:
                return
            frame, self._rest = self._rest[:end], self._rest[end:]
            yield frame[0], frame[_HEAD:]


def framed(stream: int, data: bytes) -> bytes:
    """As the engine sends it."""
    return bytes((stream, 0, 0, 0)) + len(data).to_bytes(4, "big") + data
