"""The verdict on a canary: how far its answers agree, and what its errors and latency say."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mldeploy.app.agreement import SHOWN_ROWS, compare_versions
from mldeploy.app.sample_request import MOST_ROWS, SampleRequest, choose_rows
from mldeploy.app.vitals import LEAST_REQUESTS, CanaryVitals, VersionVitals, VitalsMeter
from mldeploy.config.settings import Rollout
from mldeploy.core.events import ignore
from mldeploy.core.monitor import Cancel, CancelledError, Monitor
from mldeploy.core.step import Key, Resource

Answer = tuple[int, object]


@contextmanager
def version(respond: Callable[[int], Answer]) -> Iterator[str]:
    """A version of an app that answers a row's number."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            row = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, body = respond(row["n"])
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def do_GET(self) -> None:
            self.send_error(respond(0)[0])

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


def requests(count: int) -> list[SampleRequest]:
    return [SampleRequest(number, "/predict", {"n": number}) for number in range(1, count + 1)]


def monitor(cancel: Cancel | None = None) -> Monitor:
    return Monitor(Resource("service", Key("app")), ignore, cancel or Cancel())


def test_the_worst_rows_come_first_and_a_tolerated_difference_is_none() -> None:
    def new(n: int) -> Answer:
        return 200, {"price": 100 * n * (1 + (n / 100 if n > 3 else 1e-9)), "class": "a"}

    with (
        version(lambda n: (200, {"price": 100.0 * n, "class": "a"})) as old,
        version(new) as changed,
    ):
        found = compare_versions(requests(10), (old, changed), 1e-6, monitor())
        assert (found.rows, found.agreeing, found.rejected) == (10, 3, 0)
        assert [each.row for each in found.worst] == [10, 9, 8, 7, 6]
        assert len(found.worst) == SHOWN_ROWS
        assert found.worst[0].value == "price"
        assert found.worst[0].distance == pytest.approx(0.1)
        assert compare_versions(requests(10), (old, changed), 0.2, monitor()).agreeing == 10


def test_texts_and_errors_differ_without_a_distance_and_come_before_numbers() -> None:
    answers: dict[int, Answer] = {1: (200, {"class": "b"}), 2: (500, {}), 3: (400, {})}
    with (
        version(lambda n: (400, {}) if n == 3 else (200, {"class": "a"})) as old,
        version(lambda n: answers.get(n, (200, {"class": "a"}))) as new,
    ):
        found = compare_versions(requests(4), (old, new), 0.0, monitor())
    assert (found.agreeing, found.rejected) == (2, 1)
    assert [(each.row, each.value) for each in found.worst] == [(1, "class"), (2, "the answer")]
    assert "500" in found.worst[1].new


def test_a_stop_ends_the_comparison() -> None:
    cancel = Cancel()
    cancel.request()
    with version(lambda _: (200, {})) as url, pytest.raises(CancelledError):
        compare_versions(requests(3), (url, url), 0.0, monitor(cancel))


def test_rows_of_a_long_sample_are_spread_over_it() -> None:
    chosen = [each.row for each in choose_rows(requests(1000))]
    assert len(chosen) == MOST_ROWS
    assert chosen[:2] == [1, 6]
    assert chosen[-1] > 990
    assert [each.row for each in choose_rows(requests(3))] == [1, 2, 3]


def test_a_candidate_that_fails_is_noticed_before_the_step_is_over() -> None:
    with version(lambda _: (200, {})) as old, version(lambda n: (500 if n % 2 else 200, {})) as new:
        meter = VitalsMeter(requests(4), "/health", Rollout())
        problem = meter.hold((old, new), 10, 600, monitor())
    assert "requests to the canary failed" in problem
    assert meter.vitals.candidate.requests == LEAST_REQUESTS
    assert meter.vitals.stable.errors == 0


def test_without_a_sample_the_health_path_is_asked() -> None:
    with version(lambda _: (200, {})) as old, version(lambda _: (503, {})) as new:
        meter = VitalsMeter((), "/health", Rollout())
        assert "1 of 1 requests to the canary failed" in meter.hold((old, new), 10, 0, monitor())


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (VersionVitals(100, 0, 0.010), VersionVitals(100, 1, 0.010), ""),
        (VersionVitals(100, 0, 0.010), VersionVitals(100, 2, 0.010), "2 of 100"),
        (VersionVitals(100, 5, 0.010), VersionVitals(100, 5, 0.010), ""),
        (VersionVitals(100, 0, 0.010), VersionVitals(100, 0, 0.020), "median latency"),
        (VersionVitals(100, 0, 0.001), VersionVitals(100, 0, 0.004), ""),
        (VersionVitals(10, 0, 0.010), VersionVitals(10, 0, 0.200), ""),
    ],
)
def test_the_limits(old: VersionVitals, new: VersionVitals, words: str) -> None:
    problem = CanaryVitals(old, new).problem(Rollout(), is_final=True)
    assert bool(problem) == bool(words)
    assert words in problem
