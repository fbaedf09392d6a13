"""What is made of the figures: the memory that is proposed, and what is said where it could not be limited."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mldeploy.app.container_spec import ContainerSpec, Limits
from mldeploy.check.behaviour import check_limits, check_memory, judge_start, propose_memory
from mldeploy.core.findings import Level
from tests.check.specimen import MIB, an_app
from tests.local.test_spec import specs


@pytest.mark.parametrize(
    ("rest", "after", "workers", "proposed"),
    [
        (20, 21, 1, 128),  # the least that is proposed
        (128, 168, 1, 256),  # (128 + 40) times 1.5 = 252
        (128, 168, 4, 448),  # (128 + 160) times 1.5 = 432
        (300, 290, 2, 450),  # what is given back while it is asked is not counted against the workers
    ],
)
def test_proposal(rest: int, after: int, workers: int, proposed: int) -> None:
    result = propose_memory(rest * MIB, after * MIB, workers)
    assert result >= proposed * MIB
    assert result < (proposed + 64) * MIB
    assert result % (64 * MIB) == 0


@given(st.integers(0, 1 << 40), st.integers(0, 1 << 40), st.integers(1, 64))
def test_proposal_is_more_than_what_was_seen(rest: int, after: int, workers: int) -> None:
    assert propose_memory(rest, after, workers) > max(rest, after if workers == 1 else 0)
    assert propose_memory(rest, after, workers + 1) >= propose_memory(rest, after, workers)


@pytest.mark.parametrize(
    ("limit", "level", "messages"),
    [
        (128, Level.WARNING, "may be killed"),
        (256, Level.OK, "after the golden row"),
        (1024, Level.OK, "would do"),
    ],
)
def test_limit_is_held_against_the_proposal(limit: int, level: Level, messages: str) -> None:
    result = check_memory(128 * MIB, 168 * MIB, an_app("shop", Path(), limit * MIB))
    assert (result.level, messages in result.what) == (level, True)
    assert ('memory = "256m"' in result.what + result.todo) is (limit != 256)


@given(specs, st.builds(Limits, st.booleans(), st.booleans(), st.booleans()))
def test_engine_that_cannot_set_a_limit_is_named(spec: ContainerSpec, limits: Limits) -> None:
    result = list(check_limits(limits.apply_to(spec), spec))
    assert bool(result) is (limits != Limits(True, True, True))


@pytest.mark.parametrize(
    ("cpu", "limit", "proposed"), [(2.0, 60.0, ""), (15.0, 60.0, ""), (16.0, 60.0, "120"), (40.0, 120.0, "180")]
)
def test_a_start_that_is_too_slow_for_a_part_of_a_cpu_is_told(cpu: float, limit: float, proposed: str) -> None:
    findings = list(judge_start(cpu, limit))
    assert [each.subject for each in findings] == ["start"] * bool(proposed)
    assert f"start_timeout = {proposed}" in "".join(each.todo for each in findings) or not proposed
