"""Watches: every change of the objects that somebody cares for, one JSON document a line.

https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mldeploy.rehearsal.kubernetes.objects.refusals import Refused, expired
from mldeploy.rehearsal.kubernetes.objects.selectors import Fits
from mldeploy.rehearsal.kubernetes.objects.store import Change, Store
from mldeploy.rehearsal.kubernetes.objects.types import Object, Resource

_LOOK = 0.5
"""Seconds between two looks whether the client is still there."""
_BOOKMARK = 5.0
_LONGEST = 1800.0


@dataclass(frozen=True)
class Watch:
    """fits: the objects that it is about. version: after which it begins; "": with all that there is now.

    shown: how an object is written. left: whether the client has gone.
    """

    resource: Resource
    namespace: str
    fits: Fits
    version: str
    seconds: float
    bookmarks: bool
    shown: Callable[[Object], Object]
    left: Callable[[], bool]


def events(store: Store, watch: Watch) -> Iterator[bytes]:
    """The lines; it ends after its time, or once what it has not yet told is forgotten."""
    yield b""  # the answer begins at once, also where there is nothing to tell yet
    end, era = time.monotonic() + min(watch.seconds or _LONGEST, _LONGEST), store.era
    told = int(watch.version or 0)
    if told == 0:
        told = store.version
        for each in store.list(watch.resource, watch.namespace):
            if watch.fits(each):
                yield _line("ADDED", watch.shown(each))
    marked = time.monotonic()
    while time.monotonic() < end and not watch.left():
        try:
            if store.era != era:
                raise expired(told, store.oldest)
            changes = store.since(told)
        except Refused as refused:
            yield _line("ERROR", refused.document)
            return
        for change in changes:
            told = change.version
            yield from _told(watch, change)
        if watch.bookmarks and time.monotonic() - marked > _BOOKMARK:
            marked = time.monotonic()
            yield _line("BOOKMARK", _bookmark(watch.resource, told))
        store.wait(told, min(_LOOK, max(0.0, end - time.monotonic())))


def _told(watch: Watch, change: Change) -> Iterator[bytes]:
    key = change.key
    if key.resource is not watch.resource or watch.namespace not in ("", key.namespace):
        return
    was, is_now = (each is not None and watch.fits(each) for each in (change.before, change.after))
    if is_now and change.after is not None:
        yield _line("MODIFIED" if was else "ADDED", watch.shown(change.after))
    elif was and change.before is not None:
        metadata = {**change.before["metadata"], "resourceVersion": str(change.version)}
        yield _line("DELETED", watch.shown({**change.before, "metadata": metadata}))


def _bookmark(resource: Resource, version: int) -> Object:
    metadata = {"resourceVersion": str(version), "creationTimestamp": None}
    return {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata}


def _line(kind: str, document: Object) -> bytes:
    return json.dumps({"type": kind, "object": document}).encode() + b"\n"
