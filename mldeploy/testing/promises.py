"""What every target promises, and the marker by which a test says which promise it proves.

    @proves(Promise.TEARDOWN)
    def test_destroy_leaves_what_is_not_ours(...): ...

The target is the class attribute `target` of a suite's subclass, the value of a parameter `target` or `name`, or the
marker's `targets`. `scripts/targets.py` collects the markers and writes docs/targets.md: a cell without a test fails.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import pytest

MARKER = "promise"


class Promise(StrEnum):
    """The rows of docs/targets.md, in their order."""

    CHECKED = "image checked before push"
    GOLDEN_ROW = "golden row before traffic"
    OLD_VERSION = "old version untouched by a failing one"
    NO_DOWNTIME = "no failed request during a rollout"
    CANARY = "canary"
    VERDICT = "one verdict on a failure"
    HISTORY = "history and rollback"
    SCALE = "scale"
    AUTOSCALING = "autoscaling"
    LOGS = "logs -f"
    EXEC = "exec"
    STOP = "stop and start"
    HTTPS = "HTTPS"
    DOMAIN = "own domain"
    ACCESS_KEY = "access key"
    COST = "cost estimate"
    POLICY = "complete least-privilege policy"
    SECRETS = "secrets in a store of the target"
    TEARDOWN = "teardown proven"
    CRASHES = "crash matrix"
    FAULTS = "fault matrix"
    PERMISSIONS = "permission matrix"
    REHEARSED = "rehearsed"
    INDEPENDENT = "held against an independent party"


def proves(*promises: Promise, targets: Sequence[str] = ()) -> pytest.MarkDecorator:
    """Mark a test, a parameter or a suite with what it proves. targets: where neither class nor parameter names one."""
    return pytest.mark.promise(*promises, targets=tuple(targets))


def refuses(reason: str, *promises: Promise, targets: Sequence[str] = ()) -> pytest.MarkDecorator:
    """Mark a test that a target refuses what it does not offer. reason: half a sentence for the table."""
    return pytest.mark.promise(*promises, targets=tuple(targets), refused=reason)
