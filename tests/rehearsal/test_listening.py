"""What a container said last is heard, however late the engine hands it over."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import cast

from mldeploy.rehearsal.containers.host import Container
from mldeploy.rehearsal.containers.listening import Listener


class Slow:
    """Hands nothing over before it is told to."""

    def __init__(self) -> None:
        self.ready = threading.Event()

    def logs(self) -> Iterator[bytes]:
        yield b"first\r"
        self.ready.wait()
        yield b"last"


def test_whoever_waits_has_heard_all() -> None:
    slow, heard = Slow(), list[bytes]()
    listener = Listener(cast("Container", slow), heard.append)
    waiting = threading.Thread(target=listener.wait)
    waiting.start()
    assert waiting.is_alive()
    slow.ready.set()
    waiting.join()
    assert heard == [b"first", b"last"]
