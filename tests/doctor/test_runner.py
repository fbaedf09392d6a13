"""Checks run at once, each for so long and no longer; whatever one of them does, the others are heard."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Never

import pytest

from mldeploy.core.errors import LockedError, StateError
from mldeploy.doctor.runner import FindingGroup, FixResult, GroupedFinding, apply_fixes, run_checks
from mldeploy.providers.capabilities import DoctorCheck, Finding, Fix, Level, error, ok


def found(*checks: DoctorCheck) -> list[Finding]:
    return [each.finding for each in run_checks((FindingGroup.ENGINE, check) for check in checks)]


def raising(problem: Exception) -> Callable[[], Never]:
    def look() -> Never:
        raise problem

    return look


def test_findings_come_in_the_order_of_the_checks_whoever_is_first() -> None:
    second_is_done = threading.Event()

    def first() -> Iterable[Finding]:
        second_is_done.wait(60)
        yield ok("first", "waited for the second one")

    def second() -> Iterable[Finding]:
        yield ok("second", "a")
        yield ok("second", "b")
        second_is_done.set()

    assert [each.what for each in found(DoctorCheck("first", first), DoctorCheck("second", second))] == [
        "waited for the second one",
        "a",
        "b",
    ]


@pytest.mark.usefixtures("impatient")
def test_a_check_that_hangs_is_a_warning_at_its_deadline() -> None:
    for_ever = threading.Event()

    def hang() -> Iterable[Finding]:
        for_ever.wait()
        return ()

    hung, heard = found(DoctorCheck("hung", hang, 0.2), DoctorCheck("heard", lambda: [ok("heard", "x")], 300))
    assert (hung.subject, hung.level) == ("hung", Level.WARNING)
    assert hung.what == "could not be checked: no result within 0.2 s"
    assert heard.level is Level.OK
    for_ever.set()


def test_the_program_does_not_wait_for_a_check_that_hangs() -> None:
    program = """
import threading
from mldeploy.doctor.runner import FindingGroup, run_checks
from mldeploy.providers.capabilities import DoctorCheck
run_checks([(FindingGroup.ENGINE, DoctorCheck("hung", lambda: threading.Event().wait(), 0.1))])
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=300)


@pytest.mark.parametrize(
    ("problem", "output"),
    [
        (StateError("the journal", "is damaged", "Move it away."), "the journal: is damaged"),
        (ZeroDivisionError("a defect"), "internal error in the check: ZeroDivisionError('a defect')"),
    ],
)
def test_a_check_that_breaks_is_an_error_line(problem: Exception, output: str) -> None:
    broken, heard = found(DoctorCheck("broken", raising(problem)), DoctorCheck("heard", lambda: [ok("heard", "x")]))
    assert (broken.subject, broken.level, broken.what) == ("broken", Level.ERROR, output)
    assert broken.todo
    assert heard.level is Level.OK


def test_what_can_be_mended_is_mended_and_what_cannot_is_said() -> None:
    done = []
    fixes = [
        Fix("do it", lambda: done.append(1)),
        Fix("be refused", raising(LockedError("the lock", "is held"))),
        Fix("break", raising(OSError("no"))),
    ]
    diagnoses = [GroupedFinding(FindingGroup.FOLDER, error("x", "y", fix=fix)) for fix in fixes]
    diagnoses.append(GroupedFinding(FindingGroup.FOLDER, error("x", "nothing can be done")))
    assert apply_fixes(diagnoses) == (
        FixResult("do it"),
        FixResult("be refused", "the lock: is held"),
        FixResult("break", "OSError('no')"),
    )
    assert done == [1]
