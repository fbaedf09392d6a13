"""What the engine says of one container while it starts: that it died, that the kernel killed a process of it."""

from __future__ import annotations

import threading
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from docker.errors import DockerException
from docker.types.daemon import CancellableStream
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError

from mldeploy.image.engine import Engine
from mldeploy.image.running.container import Container
from mldeploy.image.running.streams import close, wake

JOIN_SECONDS = 1.0


class Watch:
    """Hears a container's events from its start on, until it is closed.

    What happened before this began is heard, too: the engine remembers its last events. If the connection breaks or
    hangs, nothing is heard; whoever needs to be sure asks the engine for the container's state.
    """

    def __init__(self, engine: Engine, container: Container) -> None:
        self._engine = engine
        self._filters = {"type": "container", "container": container.id, "event": ["die", "oom"]}
        self._since = datetime.fromisoformat(container.started).timestamp()
        self._heard = {"die": threading.Event(), "oom": threading.Event()}
        self._mutex = threading.Lock()
        self._stream: CancellableStream[dict[str, Any]] | None = None
        self._closed = False
        # A subscription has no deadline in the SDK, so a thread that nobody needs to wait for makes it.
        self._thread = threading.Thread(target=self._listen, name=f"watch {container.name}", daemon=True)
        self._thread.start()

    @property
    def died(self) -> bool:
        return self._heard["die"].is_set()

    @property
    def out_of_memory(self) -> bool:
        """The kernel killed a process of the container for its memory, whether or not that was the first one."""
        return self._heard["oom"].is_set()

    def _listen(self) -> None:
        try:
            stream = self._engine.client.events(since=int(self._since), filters=self._filters, decode=True)
        except (DockerException, RequestException):
            return
        with self._mutex:
            self._stream = stream
            if self._closed:
                wake(stream)
        try:
            for event in stream:
                # The engine counts whole seconds: this may be of an earlier life of the container.
                if event["timeNano"] >= self._since * 1e9:
                    self._heard[event["Action"]].set()
        except (RequestException, HTTPError, OSError, ValueError, AttributeError):
            return  # cut, or closed by us: reading what another thread closes may fail in any of these ways
        finally:
            close(stream)

    def close(self) -> None:
        """Stop listening. May be repeated."""
        with self._mutex:
            self._closed = True
            if self._stream:
                wake(self._stream)
        self._thread.join(JOIN_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
