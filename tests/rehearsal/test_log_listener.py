"""The last log lines are read, however late the engine returns them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import cast

from mldeploy.rehearsal.containers.engine import LogListener
from mldeploy.rehearsal.containers.host import HostContainer


class Slow:
    """Returns no log before it is released."""

    def __init__(self) -> None:
        self.ready = threading.Event()

    def logs(self) -> Iterator[bytes]:
        yield b"first\r"
        self.ready.wait()
        yield b"last"


def test_whoever_waits_has_heard_all() -> None:
    slow, heard = Slow(), list[bytes]()
    listener = LogListener(cast("HostContainer", slow), heard.append)
    waiting = threading.Thread(target=listener.wait)
    waiting.start()
    assert waiting.is_alive()
    slow.ready.set()
    waiting.join()
    assert heard == [b"first", b"last"]
