"""A session with a program in a container, in the engine's stream format.

https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import suppress

STDOUT, STDERR = 1, 2
_HEAD = 8
_CHUNK = 1 << 16


class ExecSession:
    """Input and output of a program. connection: pollable for output. tty: stdout and stderr are one stream.

    code: returns the exit code after the end. resize: sets the terminal size, columns and rows.
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
        """Send input. Raises OSError if the program no longer reads."""
        self.connection.sendall(data)

    def end_input(self) -> None:
        """Close the input."""
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)

    def read_frames(self) -> list[tuple[int, bytes]] | None:
        """Read the available output as pairs of stream number and data. Returns None at the end."""
        try:
            data = self.connection.recv(_CHUNK)
        except OSError:
            return None
        if not data:
            return None
        return [(STDOUT, data)] if self._tty else list(self._frames(data))

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


def encode_frame(stream: int, data: bytes) -> bytes:
    """Encode output as a frame of the engine's stream format."""
    return bytes((stream, 0, 0, 0)) + len(data).to_bytes(4, "big") + data
