"""A container's events while it starts: it died, or the kernel killed one of its processes."""

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

from mldeploy.app.container import Container
from mldeploy.image.engine import Engine

JOIN_SECONDS = 1.0


class ContainerEvents:
    """Receives a container's events from its start until closed.

    Earlier events are included: the engine keeps the last ones. If the connection breaks, events are missed; request
    the container's state to be certain.
    """

    def __init__(self, engine: Engine, container: Container) -> None:
        self._engine = engine
        self._filters = {"type": "container", "container": container.id, "event": ["die", "oom"]}
        self._since = datetime.fromisoformat(container.started).timestamp()
        self._events = {"die": threading.Event(), "oom": threading.Event()}
        self._mutex = threading.Lock()
        self._stream: CancellableStream[dict[str, Any]] | None = None
        self._closed = False
        # A subscription has no timeout in the SDK, so a daemon thread makes it.
        self._thread = threading.Thread(target=self._listen, name=f"watch {container.name}", daemon=True)
        self._thread.start()

    @property
    def died(self) -> bool:
        return self._events["die"].is_set()

    def await_death(self, seconds: float) -> None:
        """Return once the container has died, at the latest after so many seconds."""
        self._events["die"].wait(seconds)

    @property
    def out_of_memory(self) -> bool:
        """The kernel killed a process of the container, not necessarily the first one, for its memory."""
        return self._events["oom"].is_set()

    def _listen(self) -> None:
        try:
            stream = self._engine.client.events(since=int(self._since), filters=self._filters, decode=True)
        except (DockerException, RequestException):
            return
        with self._mutex:
            self._stream = stream
            if self._closed:
                end_stream(stream)
        try:
            for event in stream:
                # The engine counts whole seconds: the event may be of an earlier run.
                if event["timeNano"] >= self._since * 1e9:
                    self._events[event["Action"]].set()
        except (RequestException, HTTPError, OSError, ValueError, AttributeError):
            return  # disconnected, or closed by another thread
        finally:
            close_stream(stream)

    def close(self) -> None:
        """Stop listening. May be repeated."""
        with self._mutex:
            self._closed = True
            if self._stream:
                end_stream(self._stream)
        self._thread.join(JOIN_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def end_stream(stream: CancellableStream[object]) -> None:
    """End a stream that another thread reads. Not possible over SSH."""
    with contextlib.suppress(DockerException, OSError, AttributeError):  # AttributeError: it has just ended
        stream.close()


def close_stream(stream: CancellableStream[object]) -> None:
    """End a stream that no thread reads, and release its connection."""
    end_stream(stream)
    # The SDK shuts the socket down, but does not close its file.
    with contextlib.suppress(OSError):
        stream._response.close()  # type: ignore[attr-defined]  # noqa: SLF001 - there is no public way
