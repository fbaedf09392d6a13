"""Errors and latency of two versions side by side, as mldeploy itself measures them: by asking both."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mldeploy.app.client import HEALTH_SECONDS, AnswerError, AppClient, NoAnswerError
from mldeploy.app.sample_request import SampleAnswer, SampleRequest, ask_version
from mldeploy.config.secret import Secret
from mldeploy.config.settings import Rollout
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor

EVERY_SECONDS = 0.2
"""At most 5 requests a second to each version."""
LEAST_REQUESTS = 20
"""Fewer say nothing of a latency, or of an error rate before the end of a step."""
LEAST_SECONDS = 0.005
"""A smaller difference of latency says nothing."""


@dataclass(frozen=True)
class VersionVitals:
    """One version. median: seconds; 0 before the first answer."""

    requests: int
    errors: int
    median: float

    @property
    def error_rate(self) -> float:
        return self.errors / self.requests if self.requests else 0.0


@dataclass(frozen=True)
class CanaryVitals:
    """Both versions, which get the same rows in turn."""

    stable: VersionVitals
    candidate: VersionVitals

    def problem(self, rollout: Rollout, *, is_final: bool) -> str:
        """Return the limit that the candidate exceeds, "" for none. is_final: the step is over: few requests count."""
        old, new = self.stable, self.candidate
        enough = new.requests >= LEAST_REQUESTS
        if (enough or is_final) and new.error_rate > max(rollout.max_error_rate, old.error_rate):
            allowed = f"at most {100 * rollout.max_error_rate:g} % may (rollout.max_error_rate)"
            return f"{new.errors} of {new.requests} requests to the canary failed; {allowed}"
        is_slower = new.median > rollout.max_latency_ratio * old.median and new.median - old.median >= LEAST_SECONDS
        if enough and is_slower:
            figures = f"{1000 * new.median:.0f} ms, of the serving version {1000 * old.median:.0f} ms"
            allowed = f"at most {rollout.max_latency_ratio:g} times that is allowed (rollout.max_latency_ratio)"
            return f"the median latency of the canary is {figures}; {allowed}"
        return ""

    def __str__(self) -> str:
        return f"canary {_figures(self.candidate)}; serving version {_figures(self.stable)}"


@dataclass
class VitalsMeter:
    """Asks both versions until a step is over. Requests without a sample go to the health path."""

    requests: Sequence[SampleRequest]
    health: str
    rollout: Rollout
    trust: Path | None = None
    headers: tuple[tuple[str, Secret], ...] = ()
    _answers: tuple[list[SampleAnswer], list[SampleAnswer]] = field(default_factory=lambda: ([], []))

    def hold(self, urls: tuple[str, str], percent: float, seconds: float, monitor: Monitor) -> str:
        """Measure for so many seconds; return the limit that the candidate exceeds, at once, or "".

        urls: of the serving version and the candidate. Raises CancelledError.
        """
        end = time.monotonic() + seconds
        clients = (AppClient(each, self.trust, monitor, headers=self.headers) for each in urls)
        with next(clients) as old, next(clients) as new:
            for ask in self._endless():
                due = time.monotonic() + EVERY_SECONDS
                for client, answers in zip((old, new), self._answers, strict=True):
                    answers.append(ask(client))
                if problem := self.vitals.problem(self.rollout, is_final=False):
                    return problem
                left = end - time.monotonic()
                text = f"{percent:g} % of the requests for {max(0.0, left):.0f} s more; {self.vitals}"
                monitor.progress(Progress("", text))
                if left <= 0:
                    break
                monitor.wait(max(0.0, min(due - time.monotonic(), left)))
        return self.vitals.problem(self.rollout, is_final=True)

    @property
    def vitals(self) -> CanaryVitals:
        """All that was measured so far."""
        return CanaryVitals(*map(_summarize, self._answers))

    def _endless(self) -> itertools.cycle[Callable[[AppClient], SampleAnswer]]:
        if not self.requests:
            return itertools.cycle([lambda client: _ask_health(client, self.health)])
        return itertools.cycle([_asking(each) for each in self.requests])


def _asking(request: SampleRequest) -> Callable[[AppClient], SampleAnswer]:
    return lambda client: ask_version(client, request)


def _ask_health(client: AppClient, path: str) -> SampleAnswer:
    began = time.monotonic()
    try:
        client.health(path, within=HEALTH_SECONDS)
    except AnswerError as error:
        status = 0 if isinstance(error, NoAnswerError) else error.status
        return SampleAnswer(None, time.monotonic() - began, error.what, status)
    return SampleAnswer(None, time.monotonic() - began)


def _summarize(answers: Sequence[SampleAnswer]) -> VersionVitals:
    good = [each.seconds for each in answers if not each.is_error]
    errors = len(answers) - len(good)
    return VersionVitals(len(answers), errors, statistics.median(good) if good else 0.0)


def _figures(vitals: VersionVitals) -> str:
    return f"{vitals.errors} of {vitals.requests} failed, median {1000 * vitals.median:.0f} ms"
