"""Run all checks concurrently, and apply safe fixes."""

from __future__ import annotations

import logging
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Generic, TypeVar

from mldeploy.core.errors import MldeployError
from mldeploy.providers.capabilities import DoctorCheck, Finding, Fix, error, warning

_log = logging.getLogger(__name__)

NOT_CHECKED = "could not be checked"
"""What a finding says if a time limit of the doctor ended its check: a warning, as a slow answer may be a good one."""


class FindingGroup(StrEnum):
    """The groups of findings, in the order of the report."""

    ENGINE = "engine"
    FOLDER = "folder"
    CONFIGURATION = "configuration"
    NETWORK = "network"
    CLOCK = "clock"
    TARGET = "target"


@dataclass(frozen=True)
class GroupedFinding:
    """A finding in its group."""

    group: FindingGroup
    finding: Finding


@dataclass(frozen=True)
class FixResult:
    """The result of one fix. problem: why it failed, "" on success."""

    title: str
    problem: str = ""


def run_checks(checks: Iterable[tuple[FindingGroup, DoctorCheck]]) -> tuple[GroupedFinding, ...]:
    """Run the checks, and return their findings in the same order. Takes as long as the slowest check."""
    running = [(group, check, BackgroundValue(partial(_run_check, check), check.seconds)) for group, check in checks]
    return tuple(
        GroupedFinding(group, each) for group, check, pending in running for each in _collect_findings(check, pending)
    )


def _run_check(check: DoctorCheck) -> tuple[Finding, ...]:
    return tuple(check.look())


def _collect_findings(check: DoctorCheck, pending: BackgroundValue[tuple[Finding, ...]]) -> tuple[Finding, ...]:
    try:
        return pending.result()
    except TimeoutError:
        what = f"{NOT_CHECKED}: no result within {check.seconds:g} s"
        todo = "Run the command again. If it happens again, the service is not responding."
        return (warning(check.subject, what, todo),)
    except MldeployError as problem:
        return (error(check.subject, f"{problem.where}: {problem.what}", problem.todo),)
    except Exception as problem:  # noqa: BLE001 - a failing check must not stop the others
        _log.exception("the check of %s broke", check.subject)
        return (error(check.subject, f"internal error in the check: {problem!r}", "Please report it."),)


def apply_fixes(diagnoses: Iterable[GroupedFinding]) -> tuple[FixResult, ...]:
    """Apply the fix of every finding that has one. A failing fix does not stop the next."""
    return tuple(FixResult(fix.title, _apply_fix(fix)) for each in diagnoses if (fix := each.finding.fix))


def _apply_fix(fix: Fix) -> str:
    try:
        fix.run()
    except MldeployError as problem:
        return f"{problem.where}: {problem.what}"
    except Exception as problem:  # noqa: BLE001 - a failing fix must not stop the others
        _log.exception("the fix broke: %s", fix.title)
        return repr(problem)
    return ""


T_co = TypeVar("T_co", covariant=True)


class BackgroundValue(Generic[T_co]):
    """A value that is being fetched since this was made; several threads may wait for it.

    A pool of threads would wait for all of them when the program ends; a name server that swallows packets would hold
    it up for minutes. So each has a daemon thread, which nobody waits for after the deadline, until the command's end
    (`core.threads`). What it calls must have time limits of its own.
    """

    def __init__(self, fetch: Callable[[], T_co], seconds: float) -> None:
        self._future: Future[T_co] = Future()
        self._deadline = time.monotonic() + seconds
        threading.Thread(target=self._run, args=(fetch,), daemon=True).start()

    def _run(self, fetch: Callable[[], T_co]) -> None:
        try:
            self._future.set_result(fetch())
        except BaseException as error:  # noqa: BLE001 - it is raised where the value is wanted
            self._future.set_exception(error)

    def result(self) -> T_co:
        """The value. Raises TimeoutError at the deadline, and whatever fetching it has raised. May be repeated."""
        return self._future.result(max(0.0, self._deadline - time.monotonic()))


COMMAND_SECONDS = 4.0


def run_quietly(*command: str) -> str:
    """Return a program's stdout; "" if it is missing, fails or times out."""
    try:
        return run(*command).stdout
    except (OSError, subprocess.SubprocessError, ValueError):
        return ""


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a program. Raises OSError, subprocess.SubprocessError (with its stderr) if it fails or times out."""
    return subprocess.run(
        command,
        check=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=COMMAND_SECONDS,
        env={**os.environ, "COLUMNS": "200"},  # no line breaks in parsed output
    )
