"""What the engine says of one container while it starts: that it died, that the kernel killed a process of it."""

from __future__ import annotations

import contextlib
import threading
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from docker.errors import DockerException
from docker.types.daemon import CancellableStream
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError

from mldeploy.image.engine import Engine
from mldeploy.providers.local.container import Container

JOIN_SECONDS = 1.0


class Watch:
    """Hears a container's events from its start on, until it is closed.

    What happened before this began is heard, too: the engine remembers its last events. If the connection breaks or
    hangs, nothing is heard; whoever needs to be sure asks the engine for the container's state.
    """

    def __init__(self, engine: Engine, container: Container) -> None:
        self._engine = engine
        self._filters = {"type": "container", "container": container.id, "event": ["die", "oom"]}
        self._since = int(datetime.fromisoformat(container.started).timestamp())
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
            stream = self._engine.client.events(since=self._since, filters=self._filters, decode=True)
            with self._mutex:
                self._stream = stream
            if self._closed:
                return stream.close()
            for event in stream:
                self._heard[event["Action"]].set()
        except (DockerException, RequestException, HTTPError, OSError, ValueError, AttributeError):
            return (
                None  # closed by us, or cut: reading a stream that another thread closes may fail in any of these ways
            )

    def close(self) -> None:
        """Stop listening. May be repeated."""
        self._closed = True
        with self._mutex, contextlib.suppress(OSError, DockerException):
            if self._stream:
                self._stream.close()
        self._thread.join(JOIN_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
