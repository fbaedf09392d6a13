"""A pytest plugin: knows the suite's mark, and prints how many cases were tried."""

from __future__ import annotations

import pytest

CASES = "mldeploy-cases"
"""The property in which a test says what it tried: a sentence with its number."""

pytest.register_assert_rewrite(*(f"mldeploy.testing.{module}" for module in ("life", "load", "matrix", "suite")))


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "exhaustive: runs for long; it tries every case rather than some")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """After all tests, also of several processes: their reports bring the properties along."""
    reports = [each for kind in ("passed", "failed") for each in terminalreporter.stats.get(kind, [])]
    told = [str(value) for each in reports for name, value in each.user_properties if name == CASES]
    if told:
        terminalreporter.section("mldeploy conformance")
        for line in sorted(told):
            terminalreporter.line(line)
