"""A pytest plugin: registers the suite's marker and prints how many cases were run."""

from __future__ import annotations

import pytest

from mldeploy.testing.promises import MARKER

CASES = "mldeploy-cases"
"""The property of a test that holds the sentence about its cases."""

pytest.register_assert_rewrite(
    *(f"mldeploy.testing.{module}" for module in ("canary", "life", "load", "matrix", "suite"))
)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "exhaustive: slow; runs every case instead of a sample")
    config.addinivalue_line("markers", f"{MARKER}(*promises, targets, refused): proves a promise, or its refusal")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the sentences of all tests, also of other processes."""
    reports = [each for kind in ("passed", "failed") for each in terminalreporter.stats.get(kind, [])]
    counts = [str(value) for each in reports for name, value in each.user_properties if name == CASES]
    if counts:
        terminalreporter.section("mldeploy conformance")
        for line in sorted(counts):
            terminalreporter.line(line)
