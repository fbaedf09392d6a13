"""Conformance tests of targets that run two versions side by side (`mldeploy.providers.traffic`)."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from mldeploy.app.verdict import VerdictError
from mldeploy.core.errors import MldeployError, RefusedError
from mldeploy.core.verbs import DeploymentFailedError
from mldeploy.providers.errors import AbsentError
from mldeploy.providers.traffic import TrafficSplit
from mldeploy.testing.life import FIRST, MISSING, AppLife, LifeSuite
from mldeploy.testing.load import CALLERS, send_load
from mldeploy.testing.plugin import CASES
from mldeploy.testing.promises import Promise, proves
from mldeploy.testing.scene import DeploymentUnderTest

SECOND = replace(FIRST, code="two")
BROKEN = replace(FIRST, code="broken", before=f"import {MISSING}")
SAMPLE, REQUESTS = 500, 2000
"""How many requests are counted: by the quick test, and by the exhaustive one."""
PERCENT = 10
DEVIATIONS = 5
"""Standard deviations by which the counted share may differ from the one that the platform reports."""
LOOK_EVERY, PLACED_SECONDS = 0.2, 600.0


class CanarySuite(LifeSuite):
    """A candidate gets its share and no more, and no request fails while it comes, is promoted or is aborted."""

    @proves(Promise.CANARY)
    def test_a_tenth_of_the_requests_reaches_the_candidate_until_it_is_promoted(
        self, life: AppLife, record_property: Callable[[str, object], None]
    ) -> None:
        self._promote(life, SAMPLE, record_property)

    @pytest.mark.exhaustive
    @proves(Promise.CANARY)
    def test_a_tenth_of_many_requests_reaches_the_candidate(
        self, life: AppLife, record_property: Callable[[str, object], None]
    ) -> None:
        self._promote(life, REQUESTS, record_property)

    def _promote(self, life: AppLife, requests: int, tell: Callable[[str, object], None]) -> None:
        address = life.deploy(FIRST)
        self._place(life)
        with send_load(self.ask, address.url) as seen:
            split = life.scene.traffic.shift(PERCENT, life.scene.monitor)
            self._assert_share(address.url, split, requests, tell, life.stage.provider.name)
            assert life.scene.traffic.split() == split
            promoted = life.scene.traffic.promote(life.scene.monitor)
            assert promoted.url == address.url
            assert {self._code(address.url) for _ in range(20)} == {"two"}
        self._none_failed(seen)
        assert life.scene.traffic.split() is None
        assert life.scene.plan().is_noop, "a deployment of the promoted version changes nothing"
        if Promise.HISTORY not in self.unsupported:
            life.service.rollback(None, life.scene.monitor)
            assert self._code(address.url) == "one"
        life.end()

    @proves(Promise.CANARY)
    def test_a_broken_or_aborted_candidate_leaves_everything_to_the_old_version(self, life: AppLife) -> None:
        self._refuse_the_first_version(life)
        address = life.deploy(FIRST)
        with send_load(self.ask, address.url) as seen:
            self._break(life, address.url)
            self._place(life)
            self._abort(life, address.url)
        self._none_failed(seen)
        life.app.write(FIRST)
        assert life.scene.plan().is_noop, "the old version is as it was deployed"
        self._place(life)
        life.end()  # takes the candidate along

    def _refuse_the_first_version(self, life: AppLife) -> None:
        life.app.write(FIRST)
        with pytest.raises(DeploymentFailedError) as first:
            life.scene.place_candidate()
        assert isinstance(first.value.failures[0][1], AbsentError), "nothing serves yet"
        assert life.scene.traffic.split() is None

    def _break(self, life: AppLife, url: str) -> None:
        life.app.write(BROKEN)
        with pytest.raises(DeploymentFailedError) as failed:
            life.scene.place_candidate()
        assert isinstance(failed.value.failures[0][1], VerdictError)
        assert {self._code(url) for _ in range(20)} == {"one"}
        assert life.scene.traffic.split() is None

    def _abort(self, life: AppLife, url: str) -> None:
        life.scene.traffic.shift(50, life.scene.monitor)
        with pytest.raises(DeploymentFailedError) as refused:
            life.scene.deploy()
        assert isinstance(refused.value.failures[0][1], RefusedError)
        assert "canary promote" in str(refused.value)
        assert "canary abort" in str(refused.value)
        assert life.scene.traffic.abort(life.scene.monitor)
        assert {self._code(url) for _ in range(20)} == {"one"}
        assert not life.scene.traffic.abort(life.scene.monitor)
        for operation in (life.scene.traffic.promote, lambda monitor: life.scene.traffic.shift(PERCENT, monitor)):
            with pytest.raises(AbsentError):
                operation(life.scene.monitor)

    @pytest.mark.exhaustive
    @proves(Promise.CANARY)
    def test_another_machine_goes_on_with_a_canary_whose_command_was_killed(self, life: AppLife) -> None:
        address = life.deploy(FIRST)
        life.app.write(SECOND)
        killed = life.scene.start(place_and_wait)
        try:
            for _ in life.scene.monitor.attempts(every=LOOK_EVERY, within=PLACED_SECONDS):
                split = life.scene.traffic.split()
                if split is not None and split.percent:
                    break
                assert killed.is_alive(), "the command ended"
        finally:
            killed.kill()
            killed.join()
        elsewhere = replace(life, state=life.state.with_name("elsewhere")).scene
        assert elsewhere.traffic.split() is not None
        assert elsewhere.traffic.promote(elsewhere.monitor).url == address.url
        assert self._code(address.url) == "two"
        assert elsewhere.traffic.split() is None
        life.end()

    def _place(self, life: AppLife) -> None:
        """Place the second version beside the first one, which keeps all requests."""
        life.app.write(SECOND)
        placed = life.scene.place_candidate()
        split = life.scene.traffic.split()
        assert split is not None
        assert (split.candidate.revision, split.percent) == (placed.release.revision, 0)
        assert self._reached(life, split.stable.revision) == "one"
        assert self._reached(life, split.candidate.revision) == "two"
        url = life.service.url()
        assert url is not None
        assert {self._code(url) for _ in range(20)} == {"one"}
        again = life.scene.place_candidate()
        assert again.release.revision == placed.release.revision, "it is the same candidate"

    def _reached(self, life: AppLife, revision: str) -> object:
        with life.scene.traffic.reach(revision) as url:
            return self._code(url)

    def _code(self, url: str) -> object:
        answer = self.ask(url)
        return answer.get("code") if isinstance(answer, dict) else answer

    def _assert_share(
        self, url: str, split: TrafficSplit, requests: int, tell: Callable[[str, object], None], target: str
    ) -> None:
        """Count the answers of the second version among so many. None may fail."""
        began = time.monotonic()
        with ThreadPoolExecutor(CALLERS) as callers:
            seen = Counter(callers.map(lambda _: self._outcome(url), range(requests)))
        assert seen.keys() <= {"one", "two"}, seen
        share, expected = seen["two"] / requests, split.percent / 100
        shown = split.ratio or f"{split.percent:g} %"
        took = time.monotonic() - began
        tell(CASES, f"{target}: canary at {shown}: {share:.1%} of {requests} requests in {took:.0f} s")
        if not split.ratio:
            assert split.percent == PERCENT
        margin = DEVIATIONS * math.sqrt(expected * (1 - expected) / requests)
        assert abs(share - expected) <= margin, f"{share:.1%} of the requests, not {split.percent:g} %"

    def _outcome(self, url: str) -> object:
        try:
            return self._code(url)
        except MldeployError as error:
            return error.what

    @staticmethod
    def _none_failed(seen: Counter[str]) -> None:
        failed = {what: number for what, number in seen.items() if what != "answered"}
        assert not failed, f"of {seen.total()}: {failed}"


def place_and_wait(scene: DeploymentUnderTest) -> None:
    """Place the version in the folder, give it a share, and wait to be killed."""
    scene.place_candidate()
    scene.traffic.shift(PERCENT, scene.monitor)
    time.sleep(PLACED_SECONDS)
