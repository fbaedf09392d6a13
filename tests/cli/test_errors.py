"""An error becomes words."""

from __future__ import annotations

from mldeploy.cli.errors import report_of
from mldeploy.core.errors import MldeployError
from mldeploy.core.verbs import DeploymentFailedError


def test_what_is_to_be_done_about_two_errors_stands_once() -> None:
    same, other = MldeployError("role", "is not allowed", "Allow it."), MldeployError("network", "is gone", "Make one.")
    error = DeploymentFailedError((("A", same), ("B", same), ("C", other), ("D", ValueError("odd"))))
    problem = report_of(error)
    assert problem.what.split("\n") == [
        "is not allowed",
        "Also: B: role: is not allowed",
        "Also: C: network: is gone",
        "Make one.",
        "Also: D: odd",
    ]
    assert problem.todo == "Allow it."
