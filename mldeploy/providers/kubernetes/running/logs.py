"""The logs of an app's pods. https://kubernetes.io/docs/concepts/cluster-administration/logging/"""

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
from mldeploy.providers.kubernetes.api import POD, KubeClient, Query, label_query
from mldeploy.providers.kubernetes.errors import ApiStatusError
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.manifests.workload import CONTAINER
from mldeploy.providers.kubernetes.running.pods import Pod, parse_pod, parse_pods
from mldeploy.providers.kubernetes.watch import CLOSE_ERRORS, MultiWatch, Selection, read_lines

SILENCE_SECONDS = 3600.0
TIMESTAMPED = (("container", CONTAINER), ("timestamps", "true"))
_READ_ERRORS = (http.HTTPError, OSError, ValueError, AttributeError)


def tail_log(kube: KubeClient, namespace: str, of: Pod, limit: int) -> tuple[str, ...]:
    """Return the end of a pod's log; until it is ready again, that of the run that ended. Empty if there is none."""
    if not of.running and of.ended is None:
        return ()
    previous = of.ended is not None and not of.ends_now and not of.ready
    query = [("container", CONTAINER), ("tailLines", str(limit)), *([("previous", "true")] if previous else [])]
    try:
        return tuple(_read_response(kube.log(of.name, namespace, query)))
    except ApiStatusError as refusal:
        if refusal.status in (400, 404, 429) or refusal.status >= 500:  # no log yet, no longer, or a silent node
            return ()
        raise


@dataclass(frozen=True)
class PodLogLine:
    """A log line. moment: RFC 3339, which sorts as text."""

    moment: str
    pod: str
    text: str

    def __str__(self) -> str:
        return f"{self.pod}  {self.text}"


@dataclass(frozen=True)
class PodLogs:
    """The logs of all pods of an app, each line prefixed with its pod's name."""

    kube: KubeClient
    owner: Owner
    namespace: str

    def lines(self, *, follow: bool, tail: int) -> Iterator[str]:
        """Yield the last `tail` lines of all pods together (0: all) in order of time, then new ones if `follow`."""
        app_pods = parse_pods(self.kube.select(POD, self.namespace, self.owner.selector))
        known = sorted((line for each in app_pods for line in self._read_log(each, tail)), key=lambda line: line.moment)
        yield from map(str, known[-tail:] if tail else known)
        if follow:
            selection = Selection(POD, self.namespace, label_query(self.owner.selector))
            with LogReaders(self.kube, {line.pod: line.moment for line in known}) as readers:
                yield from map(str, readers.lines(selection))

    def _read_log(self, of: Pod, tail: int) -> list[PodLogLine]:
        query: Query = (*TIMESTAMPED, *((("tailLines", str(tail)),) if tail else ()))
        try:
            return [
                _parse_line(of.name, each) for each in _read_response(self.kube.log(of.name, self.namespace, query))
            ]
        except ApiStatusError as refusal:
            if refusal.status in (400, 404):  # no log yet, or the pod is deleted
                return []
            raise


class LogReaders:
    """Follow the logs of all running pods, as pods come and go. A context manager: it ends the readers."""

    def __init__(self, kube: KubeClient, positions: Mapping[str, str]) -> None:
        """positions: the timestamp of each pod's last known line."""
        self._kube = kube
        self._positions = positions
        self._lines: queue.SimpleQueue[PodLogLine] = queue.SimpleQueue()
        self._begun: set[tuple[str, int]] = set()
        self._ended = threading.Event()
        self._responses: list[urllib3.BaseHTTPResponse] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for each in self._responses:
            with suppress(*CLOSE_ERRORS):
                each.shutdown()

    def lines(self, selection: Selection) -> Iterator[PodLogLine]:
        """Yield new lines until the caller stops."""
        nobody = Monitor(Resource(POD.kind, Key(selection.namespace)), ignore, Cancel())
        with MultiWatch(self._kube, (selection,)) as watch:
            for _ in watch.rounds(nobody, math.inf):
                for each in watch.seen(selection):
                    self._begin(parse_pod(each), selection.namespace)
                with suppress(queue.Empty):
                    while True:
                        yield self._lines.get_nowait()

    def _begin(self, seen: Pod, namespace: str) -> None:
        life = seen.uid, seen.restarts
        if seen.running and life not in self._begun:
            self._begun.add(life)
            threading.Thread(target=self._follow, args=(seen.name, namespace), daemon=True).start()

    def _follow(self, name: str, namespace: str) -> None:
        known = self._positions.get(name, "")
        since = (("sinceTime", f"{known[:19]}Z"),) if known else ()
        with suppress(ApiStatusError, *_READ_ERRORS):
            response = self._kube.log(
                name, namespace, (*TIMESTAMPED, ("follow", "true"), *since), seconds=SILENCE_SECONDS
            )
            self._responses.append(response)
            try:
                # The end is set before the known responses are shut down: one that is opened later must see it itself.
                for each in () if self._ended.is_set() else read_lines(response):
                    line = _parse_line(name, each)
                    if line.moment > known:
                        self._lines.put(line)
            finally:
                response.close()


def _parse_line(name: str, stamped: str) -> PodLogLine:
    moment, _, text = stamped.partition(" ")
    return PodLogLine(moment, name, text)


def _read_response(response: urllib3.BaseHTTPResponse) -> Iterator[str]:
    try:
        yield from read_lines(response)
    finally:
        response.release_conn()
