"""What the pods of an app have written. https://kubernetes.io/docs/concepts/cluster-administration/logging/"""

from __future__ import annotations

import math
import queue
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

import urllib3
import urllib3.exceptions as http

from mldeploy.core.events import ignore
from mldeploy.core.monitor import Cancel, Monitor
from mldeploy.core.step import Key, Resource
from mldeploy.providers.kubernetes.api import Kube, Query, selecting
from mldeploy.providers.kubernetes.errors import Refusal
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.manifests.deployment import CONTAINER
from mldeploy.providers.kubernetes.running.pods import Pod, pod, pods
from mldeploy.providers.kubernetes.types import POD
from mldeploy.providers.kubernetes.watching import ENDED, Selection, Watch, lines

SILENCE_SECONDS = 3600.0
STAMPED = (("container", CONTAINER), ("timestamps", "true"))
_BROKEN = (http.HTTPError, OSError, ValueError, AttributeError)


def last_lines(kube: Kube, namespace: str, of: Pod, limit: int) -> tuple[str, ...]:
    """The end of a pod's log, that of its last life if it is between two; empty if it has none."""
    if not of.running and of.ended is None:
        return ()
    previous = of.restarts > 0 and not of.ends_now and not of.running
    query = [("container", CONTAINER), ("tailLines", str(limit)), *([("previous", "true")] if previous else [])]
    try:
        return tuple(_read(kube.log(of.name, namespace, query)))
    except Refusal as refusal:
        if refusal.status in (400, 404, 500):  # it has not begun to write, or nothing is kept of it
            return ()
        raise


@dataclass(frozen=True)
class Line:
    """A line, and when it was written: RFC 3339, which sorts as text."""

    moment: str
    pod: str
    text: str

    def __str__(self) -> str:
        return f"{self.pod}  {self.text}"


@dataclass(frozen=True)
class Log:
    """What all pods of an app write, each line with its pod's name in front."""

    kube: Kube
    owner: Owner
    namespace: str

    def lines(self, *, follow: bool, tail: int) -> Iterator[str]:
        """The last `tail` lines of all together (0: all), in the order of their time; then what comes."""
        found = pods(self.kube.select(POD, self.namespace, self.owner.selector))
        known = sorted((line for each in found for line in self._told(each, tail)), key=lambda line: line.moment)
        yield from map(str, known[-tail:] if tail else known)
        if follow:
            selection = Selection(POD, self.namespace, selecting(self.owner.selector))
            with Readers(self.kube, {line.pod: line.moment for line in known}) as readers:
                yield from map(str, readers.lines(selection))

    def _told(self, of: Pod, tail: int) -> list[Line]:
        query: Query = (*STAMPED, *((("tailLines", str(tail)),) if tail else ()))
        try:
            return [_line(of.name, each) for each in _read(self.kube.log(of.name, self.namespace, query))]
        except Refusal as refusal:
            if refusal.status in (400, 404):  # it has not begun to write, or is gone
                return []
            raise


class Readers:
    """A reader for each pod that runs, as pods come and go. A context manager: they end with it."""

    def __init__(self, kube: Kube, told: Mapping[str, str]) -> None:
        """told: up to which moment each pod's log is known."""
        self._kube = kube
        self._told = told
        self._lines: queue.SimpleQueue[Line] = queue.SimpleQueue()
        self._begun: set[tuple[str, int]] = set()
        self._ended = threading.Event()
        self._answers: list[urllib3.BaseHTTPResponse] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for each in self._answers:
            with suppress(*ENDED):
                each.shutdown()

    def lines(self, selection: Selection) -> Iterator[Line]:
        """What they read, as it comes, until the caller stops."""
        nobody = Monitor(Resource(POD.kind, Key(selection.namespace)), ignore, Cancel())
        with Watch(self._kube, (selection,)) as watch:
            for _ in watch.rounds(nobody, math.inf):
                for each in watch.seen(selection):
                    self._begin(pod(each), selection.namespace)
                with suppress(queue.Empty):
                    while True:
                        yield self._lines.get_nowait()

    def _begin(self, seen: Pod, namespace: str) -> None:
        life = seen.uid, seen.restarts
        if seen.running and life not in self._begun:
            self._begun.add(life)
            threading.Thread(target=self._follow, args=(seen.name, namespace), daemon=True).start()

    def _follow(self, name: str, namespace: str) -> None:
        known = self._told.get(name, "")
        since = (("sinceTime", f"{known[:19]}Z"),) if known else ()
        with suppress(Refusal, *_BROKEN):
            answer = self._kube.log(name, namespace, (*STAMPED, ("follow", "true"), *since), seconds=SILENCE_SECONDS)
            self._answers.append(answer)
            for each in lines(answer):
                if self._ended.is_set():
                    break
                line = _line(name, each)
                if line.moment > known:
                    self._lines.put(line)
            answer.close()


def _line(name: str, stamped: str) -> Line:
    moment, _, text = stamped.partition(" ")
    return Line(moment, name, text)


def _read(answer: urllib3.BaseHTTPResponse) -> Iterator[str]:
    try:
        yield from lines(answer)
    finally:
        answer.release_conn()
