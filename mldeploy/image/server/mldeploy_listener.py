"""How a server in the container stops listening without losing a connection: never imported by mldeploy.

The kernel resets what waits in a listener's backlog once the last process closes it, and a client may complete its
handshake between a server's last look at the backlog and that. So new handshakes are stopped first, by a filter that
drops their first packet; the client repeats it a second later, and gets its answer from whoever listens by then.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from contextlib import suppress
from pathlib import Path

SETTLE = 0.1
"""Seconds in which handshakes that had begun before the filter end up in the backlog."""

_SO_ATTACH_FILTER = 26  # Linux, asm-generic/socket.h
# Classic BPF: load the TCP flags, keep SYN and ACK, drop the packet if it is a SYN alone.
_INSTRUCTIONS = ((0x30, 0, 0, 13), (0x54, 0, 0, 0x12), (0x15, 0, 1, 0x02), (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFFFFFF))


def refuse_handshakes(listener: socket.socket) -> None:
    """Let no new connection into the backlog, for every process that shares the listener. For good.

    Does nothing where the kernel has no filters, as gVisor.
    """
    if listener.family not in (socket.AF_INET, socket.AF_INET6):
        return
    program = b"".join(struct.pack("HBBI", *each) for each in _INSTRUCTIONS)
    code = ctypes.create_string_buffer(program, len(program))
    with suppress(OSError):
        listener.setsockopt(
            socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HL", len(_INSTRUCTIONS), ctypes.addressof(code))
        )


def is_held_by(process: int, listener: socket.socket) -> bool:
    """Whether another process has the listener open, too; True if that cannot be seen.

    gunicorn closes its own before it stops its workers, and keeps it when it replaces one.
    """
    mine = os.fstat(listener.fileno())
    try:
        for each in Path(f"/proc/{process}/fd").iterdir():
            with suppress(FileNotFoundError):
                other = each.stat()
                if (other.st_dev, other.st_ino) == (mine.st_dev, mine.st_ino):
                    return True
    except OSError:
        return True
    return False
