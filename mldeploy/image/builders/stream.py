"""The engine's event streams of builds, pulls and pushes, with cancellation."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TypeVar

from docker import APIClient
from requests import Response

from mldeploy.core.monitor import Monitor

T = TypeVar("T")

_POLL_SECONDS = 0.1
"""Interval of the checks for cancellation."""


@dataclass(frozen=True)
class Event:
    """One event. text: output of a build step. error: the reason of a failure, or "".

    layer, status, done, total: a layer's progress in a pull or push, in bytes. image: the id of what was built.
    digest: of what was pushed.
    """

    text: str = ""
    error: str = ""
    layer: str = ""
    status: str = ""
    done: int = 0
    total: int = 0
    image: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, line: Mapping[str, object]) -> Event:
        """Parse the engine's JSON (API reference, ImageBuild, ImageCreate, ImagePush)."""
        detail, aux = _table(line, "progressDetail"), _table(line, "aux")
        return cls(
            text=str(line.get("stream", "")),
            error=str(_table(line, "errorDetail").get("message") or line.get("error", "")),
            layer=str(line.get("id", "")),
            status=str(line.get("status", "")),
            done=_number(detail.get("current")),
            total=_number(detail.get("total")),
            image=str(aux.get("ID", "")),
            digest=str(aux.get("Digest", "")),
        )


def _table(line: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = line.get(name)
    return value if isinstance(value, dict) else {}


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


Start = Callable[[APIClient], Iterable[dict[str, object]]]
"""Makes the call that streams: `lambda client: client.pull(…, stream=True, decode=True)`."""


def follow_stream(client: APIClient, start: Start, monitor: Monitor) -> Iterator[Event]:
    """Yield the events of one streaming call. `client` is used for this call only and closed at its end.

    Cancellation closes the connection, which ends the build or pull, and raises CancelledError. Raises what the call
    raises.
    """
    answers: list[Response] = []
    client.hooks["response"].append(lambda answer, **_: answers.append(answer))
    lines: SimpleQueue[Event | BaseException | None] = SimpleQueue()

    def read() -> None:
        try:
            for line in start(client):
                lines.put(Event.parse(line))
        except BaseException as error:  # noqa: BLE001 - it is raised by the thread that waits
            lines.put(error)
        else:
            lines.put(None)

    reader = threading.Thread(target=read, name="engine-stream", daemon=True)
    reader.start()
    try:
        while (event := wait_for_line(lines, monitor)) is not None:
            yield event
    except BaseException:
        for answer in answers:
            _hang_up(answer)
        raise
    finally:
        client.close()


def _hang_up(answer: Response) -> None:
    with contextlib.suppress(RuntimeError, ValueError):  # already at its end
        answer.raw.shutdown()  # close() does not interrupt a blocking read
    answer.close()


def wait_for_line(lines: SimpleQueue[T | BaseException | None], monitor: Monitor) -> T | None:
    """Wait for the next line of another thread. Raises the line if it is an exception.

    Raises CancelledError after a stop.
    """
    while True:
        monitor.check()
        try:
            line = lines.get(timeout=_POLL_SECONDS)
        except Empty:
            continue
        if isinstance(line, BaseException):
            raise line
        return line
