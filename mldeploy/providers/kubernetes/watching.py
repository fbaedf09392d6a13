"""Following objects as they change: a list, then a watch from that moment on, for as long as somebody looks.

https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes

A watch that ends is begun anew where it ended; one whose moment the server has forgotten (410) begins with a new list;
a server that is away for a while is waited for. Nothing asks again and again whether something has changed.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import urllib3
import urllib3.exceptions as http

from mldeploy.core.monitor import Monitor
from mldeploy.providers.kubernetes.api import Kube, Query
from mldeploy.providers.kubernetes.errors import Refusal
from mldeploy.providers.kubernetes.reading import Document, number, table, text, uid_of
from mldeploy.providers.kubernetes.types import ObjectType

LOST_SECONDS = 120.0
"""So long a server may be away before the wait for it ends."""
AGAIN_SECONDS = 0.5
TICK_SECONDS = 0.5
"""So often a look is taken without a change: at the clock, and whether the user wants to stop."""
JOIN_SECONDS = 2.0
EXPIRED = 410
FINAL = (400, 401, 403, 404, 405, 406, 415, 422)
"""Answers that will not be other ones the next time."""
_BROKEN = (http.HTTPError, OSError, ValueError, AttributeError)
"""What reading raises when the connection ends in the middle, or when we end it."""
ENDED = (*_BROKEN, RuntimeError)
"""What ending it raises where it has just come to its end by itself: its connection is in the pool again."""


@dataclass(frozen=True)
class Selection:
    """Some objects of a type. query: label and field selectors."""

    kind: ObjectType
    namespace: str
    query: Query = ()


@dataclass(frozen=True)
class _News:
    """What one follower saw. everything: all objects, instead of one that has changed. error: it cannot go on.

    follows: its watch has begun, so from now on no change is missed.
    """

    selection: Selection
    follows: bool = False
    everything: tuple[Document, ...] | None = None
    changed: Document | None = None
    gone: bool = False
    error: Exception | None = None


class Watch:
    """Some selections, followed at once. A context manager: what follows ends with it."""

    def __init__(self, kube: Kube, selections: tuple[Selection, ...]) -> None:
        self._news: queue.SimpleQueue[_News] = queue.SimpleQueue()
        self._followers = [_Follower(kube, each, self._news) for each in selections]
        self._known: dict[Selection, dict[str, Document]] = {each: {} for each in selections}
        self._following: set[Selection] = set()

    def __enter__(self) -> Self:
        for each in self._followers:
            each.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for each in self._followers:
            each.stop()
        for each in self._followers:
            each.join(JOIN_SECONDS)

    def rounds(self, monitor: Monitor, within: float) -> Iterator[float]:
        """Yield the seconds waited, once everything is followed and then at each change, until `within` is over.

        Raises CancelledError on a stop, and what a follower could not go on with.
        """
        began = time.monotonic()
        while (waited := time.monotonic() - began) < within:
            monitor.check()
            with suppress(queue.Empty):
                self._take(self._news.get(timeout=max(0.0, min(TICK_SECONDS, within - waited))))
                while True:  # what has come meanwhile belongs to the same look
                    self._take(self._news.get_nowait())
            if len(self._following) == len(self._known):
                yield time.monotonic() - began

    def seen(self, selection: Selection) -> tuple[Document, ...]:
        """The selection's objects as they are known now."""
        return tuple(self._known[selection].values())

    def _take(self, news: _News) -> None:
        if news.error is not None:
            raise news.error
        if news.follows:
            self._following.add(news.selection)
        if news.everything is not None:
            self._known[news.selection] = {uid_of(each): each for each in news.everything}
        if news.changed is None:
            return
        if news.gone:
            self._known[news.selection].pop(uid_of(news.changed), None)
        else:
            self._known[news.selection][uid_of(news.changed)] = news.changed


class _Follower(threading.Thread):
    """Follows one selection."""

    def __init__(self, kube: Kube, selection: Selection, news: queue.SimpleQueue[_News]) -> None:
        super().__init__(name=f"watch {selection.kind.plural}", daemon=True)
        self._kube = kube
        self._selection = selection
        self._news = news
        self._version = ""
        self._ended = threading.Event()
        self._mutex = threading.Lock()
        self._answer: urllib3.BaseHTTPResponse | None = None

    def stop(self) -> None:
        """End a watch that waits for news."""
        with self._mutex:
            self._ended.set()
            if self._answer is not None:
                with suppress(*ENDED):
                    self._answer.shutdown()

    def run(self) -> None:
        lost = 0.0
        while not self._ended.is_set():
            try:
                self._follow()
                lost = 0.0
                continue
            except Refusal as refusal:
                problem: Exception = refusal
                if refusal.status == EXPIRED:
                    self._version = ""
                    continue
                final = refusal.status in FINAL
            except _BROKEN as error:
                problem, final = error, False
            lost = lost or time.monotonic()
            if final or time.monotonic() - lost > LOST_SECONDS:
                self._news.put(_News(self._selection, error=problem))
                return
            self._ended.wait(AGAIN_SECONDS)

    def _follow(self) -> None:
        """List if need be, then watch until the server ends it."""
        selection = self._selection
        if not self._version:
            listing = self._kube.list(selection.kind, selection.namespace, selection.query)
            self._version = listing.version
            self._news.put(_News(selection, everything=listing.items))
        answer = self._kube.watch(selection.kind, selection.namespace, selection.query, self._version)
        self._news.put(_News(selection, follows=True))
        with self._mutex:
            self._answer = answer
            stopped = self._ended.is_set()
        try:
            for line in () if stopped else lines(answer):
                self._read(json.loads(line))
        finally:
            with self._mutex:
                self._answer = None
            answer.close()

    def _read(self, event: object) -> None:
        kind, changed = text(event, "type"), table(event, "object")
        if kind == "ERROR":
            raise Refusal(f"watch {self._selection.kind.resource}", number(changed, "code"), json.dumps(changed))
        self._version = text(changed, "metadata", "resourceVersion") or self._version
        if kind != "BOOKMARK":
            self._news.put(_News(self._selection, changed=changed, gone=kind == "DELETED"))


def lines(answer: urllib3.BaseHTTPResponse) -> Iterator[str]:
    """The lines of an answer as they come, without their newline, empty ones left out."""
    rest = b""
    for piece in answer.stream(amt=None, decode_content=True):
        *whole, rest = (rest + piece).split(b"\n")
        yield from (line.decode(errors="replace") for line in whole if line)
    if rest:
        yield rest.decode(errors="replace")
