"""A canary from its placement to its last step: compare, shift, hold, judge; promote or abort."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from mldeploy.app.agreement import Agreement, compare_versions
from mldeploy.app.sample_request import SampleRequest
from mldeploy.app.vitals import CanaryVitals, VitalsMeter
from mldeploy.cli.rollout.canary_documents import AgreementDocument, worst_lines
from mldeploy.cli.workspace import service_of, show_operation
from mldeploy.config.access_keys import key_headers
from mldeploy.config.secret import Secret
from mldeploy.config.settings import Project
from mldeploy.core.errors import ExitCode, InterruptedByUser, MldeployError
from mldeploy.core.events import Action, Noted
from mldeploy.core.journal import Session
from mldeploy.core.monitor import Monitor
from mldeploy.providers.base import Address
from mldeploy.providers.traffic import Traffic, TrafficSplit

WHOLE = 100
NEAR = 3.0
"""Percentage points that are too few to report."""


class CanaryFailedError(MldeployError):
    """The canary exceeded a limit, and was aborted: the serving version has all requests."""

    code = ExitCode.FAILED


@dataclass(frozen=True)
class CanaryOutcome:
    """How it ended. split: the canary that stands; None if it was promoted, or serves already.

    address: of the promoted version. agreement: None without a sample. vitals: None if no step was held.
    """

    split: TrafficSplit | None = None
    address: Address | None = None
    agreement: Agreement | None = None
    vitals: CanaryVitals | None = None


@dataclass(frozen=True)
class CanaryRollout:
    """Leads a candidate that was placed through its steps. steps: percentages. hold: seconds of each below 100.

    What it knows is read from the platform, so that a repeated command goes on where an interrupted one was.
    """

    traffic: Traffic
    project: Project
    work: Session[object]
    requests: Sequence[SampleRequest]
    steps: Sequence[int]
    hold: float
    trust: Path | None = None

    def run(self) -> CanaryOutcome:
        """Raises CanaryFailedError after it was aborted, InterruptedByUser, and what the platform's calls raise."""
        split = self.traffic.split()
        if split is None:
            return CanaryOutcome()
        try:
            agreement = self._compare(split) if self.requests else None
            return self._climb(split, agreement)
        except InterruptedByUser as error:
            raise self._interrupted() from error

    def _climb(self, split: TrafficSplit, agreement: Agreement | None) -> CanaryOutcome:
        vitals: CanaryVitals | None = None
        for percent in self.steps:
            if percent >= WHOLE:
                with self._step("Promote the canary") as monitor:
                    return CanaryOutcome(None, self.traffic.promote(monitor), agreement, vitals)
            if percent < int(split.percent) and percent != self.steps[-1]:  # an interrupted command was further already
                continue
            with self._step(f"Shift {percent} % to the canary") as monitor:
                split = self.traffic.shift(percent, monitor)
            if abs(split.percent - percent) > NEAR:
                text = f"The target cannot give the canary {percent} %: the nearest share is {split.percent:.3g} %"
                self.work.events(Noted(f"{text} ({split.ratio}). More instances allow a smaller one.", warning=True))
            if self.hold:
                vitals = self._hold(split)
        return CanaryOutcome(split, None, agreement, vitals)

    def _compare(self, split: TrafficSplit) -> Agreement:
        with self._step("Compare both versions", Action.UNCHANGED) as monitor, self._reach(split) as urls:
            tolerance = self.project.rollout.tolerance
            agreement = compare_versions(self.requests, urls, tolerance, monitor, self.trust, self._headers)
        if agreement.share < self.project.rollout.min_agreement:
            document = AgreementDocument.of(agreement)
            assert document is not None  # noqa: S101
            least = f"at least {100 * self.project.rollout.min_agreement:g} % must (rollout.min_agreement)"
            self._abort("\n".join((f"{document.summary}; {least}", *worst_lines(document))))
        return agreement

    def _hold(self, split: TrafficSplit) -> CanaryVitals:
        app, rollout = self.project.app, self.project.rollout
        meter = VitalsMeter(self.requests, app.health, rollout, self.trust, self._headers)
        with self._step(f"Hold at {split.percent:g} %", Action.UNCHANGED) as monitor, self._reach(split) as urls:
            problem = meter.hold(urls, split.percent, self.hold, monitor)
        if problem:
            self._abort(problem)
        self.work.events(Noted(f"At {split.percent:g} %, measured from this machine: {meter.vitals}."))
        return meter.vitals

    def _abort(self, reason: str) -> None:
        with self._step("Abort the canary") as monitor:
            self.traffic.abort(monitor.unstopped())
        what = f"the canary was aborted, and the serving version has all requests: {reason}"
        todo = "Compare more rows with `mldeploy diff`. If the change is intended, adjust [rollout]."
        raise CanaryFailedError(self.project.app.name, what, todo)

    def _interrupted(self) -> InterruptedByUser:
        split = self.traffic.split()
        what = f"interrupted. The canary stands at {split.percent:g} % of the requests." if split else "interrupted."
        todo = "Run the command again to go on, or `mldeploy canary promote`, or `mldeploy canary abort`."
        return InterruptedByUser("mldeploy", what, todo)

    @property
    def _headers(self) -> tuple[tuple[str, Secret], ...]:
        return key_headers(self.project.app)

    @contextmanager
    def _step(self, title: str, action: Action = Action.UPDATED) -> Iterator[Monitor]:
        with show_operation(self.work, service_of(self.project.app.name), title, lambda: action) as monitor:
            monitor.check()
            yield monitor

    @contextmanager
    def _reach(self, split: TrafficSplit) -> Iterator[tuple[str, str]]:
        with ExitStack() as ways:
            old, new = (
                ways.enter_context(self.traffic.reach(each.revision)) for each in (split.stable, split.candidate)
            )
            yield old, new
