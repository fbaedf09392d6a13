"""Watch objects as they change: a list, then a watch from its resource version on.

https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes

A watch that ends is resumed. After an expired resource version (410) the objects are listed again. A server that is
unavailable for a while is retried. There is no polling.
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

from mldeploy.core.errors import LeftoversError
from mldeploy.core.monitor import Monitor
from mldeploy.providers.kubernetes.api import KubeClient, ObjectType, Query
from mldeploy.providers.kubernetes.documents import Document, number, table, text, uid_of
from mldeploy.providers.kubernetes.errors import ApiStatusError

OUTAGE_SECONDS = 120.0
"""How long a server may be unavailable before the watch fails."""
RETRY_SECONDS = 0.5
TICK_SECONDS = 0.5
"""The interval, without a change, for checks of the deadline and of a cancellation."""
JOIN_SECONDS = 2.0
EXPIRED = 410
FINAL_STATUSES = (400, 401, 403, 404, 405, 406, 415, 422)
"""Statuses that a retry does not change."""
_READ_ERRORS = (http.HTTPError, OSError, ValueError, AttributeError)
"""What reading raises when either side closes the connection."""
CLOSE_ERRORS = (*_READ_ERRORS, RuntimeError)
"""What shutdown raises if the response has just ended: its connection is in the pool again."""


@dataclass(frozen=True)
class Selection:
    """Objects of one type. query: label and field selectors."""

    kind: ObjectType
    namespace: str
    query: Query = ()


@dataclass(frozen=True)
class _Update:
    """What one follower saw. listed: all objects, instead of one that has changed. error: it cannot go on.

    synced: its watch has begun, so from now on no change is missed.
    """

    selection: Selection
    synced: bool = False
    listed: tuple[Document, ...] | None = None
    changed: Document | None = None
    deleted: bool = False
    error: Exception | None = None


class MultiWatch:
    """Watch several selections at once. A context manager: it ends the watches."""

    def __init__(self, kube: KubeClient, selections: tuple[Selection, ...]) -> None:
        self._updates: queue.SimpleQueue[_Update] = queue.SimpleQueue()
        self._watchers = [_Watcher(kube, each, self._updates) for each in selections]
        self._known: dict[Selection, dict[str, Document]] = {each: {} for each in selections}
        self._synced: set[Selection] = set()

    def __enter__(self) -> Self:
        for each in self._watchers:
            each.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for each in self._watchers:
            each.stop()
        for each in self._watchers:
            each.join(JOIN_SECONDS)

    def rounds(self, monitor: Monitor, within: float) -> Iterator[float]:
        """Yield the elapsed seconds, once all selections are synced and then at each change, for `within` seconds.

        Raises CancelledError on a cancellation, and the error of a watch that cannot go on.
        """
        began = time.monotonic()
        while (waited := time.monotonic() - began) < within:
            monitor.check()
            with suppress(queue.Empty):
                self._take(self._updates.get(timeout=max(0.0, min(TICK_SECONDS, within - waited))))
                while True:  # pending updates belong to the same round
                    self._take(self._updates.get_nowait())
            if len(self._synced) == len(self._known):
                yield time.monotonic() - began

    def seen(self, selection: Selection) -> tuple[Document, ...]:
        """Return the selection's objects as of the last update."""
        return tuple(self._known[selection].values())

    def _take(self, update: _Update) -> None:
        if update.error is not None:
            raise update.error
        if update.synced:
            self._synced.add(update.selection)
        if update.listed is not None:
            self._known[update.selection] = {uid_of(each): each for each in update.listed}
        if update.changed is None:
            return
        if update.deleted:
            self._known[update.selection].pop(uid_of(update.changed), None)
        else:
            self._known[update.selection][uid_of(update.changed)] = update.changed


class _Watcher(threading.Thread):
    """Watches one selection."""

    def __init__(self, kube: KubeClient, selection: Selection, update: queue.SimpleQueue[_Update]) -> None:
        super().__init__(name=f"watch {selection.kind.plural}", daemon=True)
        self._kube = kube
        self._selection = selection
        self._updates = update
        self._version = ""
        self._ended = threading.Event()
        self._mutex = threading.Lock()
        self._response: urllib3.BaseHTTPResponse | None = None

    def stop(self) -> None:
        """End the watch, also one that waits for a change."""
        with self._mutex:
            self._ended.set()
            if self._response is not None:
                with suppress(*CLOSE_ERRORS):
                    self._response.shutdown()

    def run(self) -> None:
        failing_since = 0.0
        while not self._ended.is_set():
            try:
                self._follow()
                failing_since = 0.0
                continue
            except ApiStatusError as refusal:
                problem: Exception = refusal
                if refusal.status == EXPIRED:
                    self._version = ""
                    continue
                final = refusal.status in FINAL_STATUSES
            except _READ_ERRORS as error:
                problem, final = error, False
            failing_since = failing_since or time.monotonic()
            if final or time.monotonic() - failing_since > OUTAGE_SECONDS:
                self._updates.put(_Update(self._selection, error=problem))
                return
            self._ended.wait(RETRY_SECONDS)

    def _follow(self) -> None:
        """List if needed, then watch until the server ends it."""
        selection = self._selection
        if not self._version:
            listing = self._kube.list(selection.kind, selection.namespace, selection.query)
            self._version = listing.version
            self._updates.put(_Update(selection, listed=listing.items))
        response = self._kube.watch(selection.kind, selection.namespace, selection.query, self._version)
        self._updates.put(_Update(selection, synced=True))
        with self._mutex:
            self._response = response
            stopped = self._ended.is_set()
        try:
            for line in () if stopped else read_lines(response):
                self._read(json.loads(line))
        finally:
            with self._mutex:
                self._response = None
            response.close()

    def _read(self, event: object) -> None:
        kind, changed = text(event, "type"), table(event, "object")
        if kind == "ERROR":
            raise ApiStatusError(f"watch {self._selection.kind.resource}", number(changed, "code"), json.dumps(changed))
        self._version = text(changed, "metadata", "resourceVersion") or self._version
        if kind != "BOOKMARK":
            self._updates.put(_Update(self._selection, changed=changed, deleted=kind == "DELETED"))


def read_lines(response: urllib3.BaseHTTPResponse) -> Iterator[str]:
    """Yield the lines of a response as they arrive, without newlines and empty lines."""
    rest = b""
    for piece in response.stream(amt=None, decode_content=True):
        *whole, rest = (rest + piece).split(b"\n")
        yield from (line.decode(errors="replace") for line in whole if line)
    if rest:
        yield rest.decode(errors="replace")


DELETION_SECONDS = 300.0


def wait_until_deleted(
    kube: KubeClient, monitor: Monitor, kind: ObjectType, name: str, namespace: str, uid: str
) -> None:
    """Return once the object with this uid is deleted. Raises LeftoversError at the deadline, CancelledError."""
    only = Selection(kind, namespace, (("fieldSelector", f"metadata.name={name}"),))
    with MultiWatch(kube, (only,)) as watch:
        for _ in watch.rounds(monitor, DELETION_SECONDS):
            if uid not in map(uid_of, watch.seen(only)):
                return
    todo = f"`kubectl describe {kind.plural} {name}` shows what blocks it (finalizers); then destroy again."
    raise LeftoversError(f"{kind.kind} {name}", f"is still there after {DELETION_SECONDS:.0f} s", todo)
