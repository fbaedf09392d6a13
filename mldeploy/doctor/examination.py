"""Runs all checks at once, and mends what can be mended safely."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from mldeploy.core.errors import MldeployError
from mldeploy.doctor.pending import Pending
from mldeploy.providers.checks import Check, Finding, Fix, error

_log = logging.getLogger(__name__)


class Group(StrEnum):
    """What a finding belongs to, in the order of the report."""

    ENGINE = "engine"
    FOLDER = "folder"
    CONFIGURATION = "configuration"
    NETWORK = "network"
    CLOCK = "clock"
    TARGET = "target"


@dataclass(frozen=True)
class Diagnosis:
    """A finding in its group."""

    group: Group
    finding: Finding


@dataclass(frozen=True)
class Mended:
    """What was done for one finding. problem: why it could not be done, "" if it was."""

    title: str
    problem: str = ""


def examine(checks: Iterable[tuple[Group, Check]]) -> tuple[Diagnosis, ...]:
    """Every check's findings, in the order of the checks. Takes as long as the slowest, at most its deadline."""
    running = [(group, check, Pending(partial(_look, check), check.seconds)) for group, check in checks]
    return tuple(Diagnosis(group, each) for group, check, pending in running for each in _findings(check, pending))


def _look(check: Check) -> tuple[Finding, ...]:
    return tuple(check.look())


def _findings(check: Check, pending: Pending[tuple[Finding, ...]]) -> tuple[Finding, ...]:
    try:
        return pending.result()
    except TimeoutError:
        what = f"could not be looked at within {check.seconds:g} s"
        return (error(check.subject, what, "Run the command again; if it stays so, what it asks hangs."),)
    except MldeployError as problem:
        return (error(check.subject, f"{problem.where}: {problem.what}", problem.todo),)
    except Exception as problem:  # noqa: BLE001 - a check that breaks must not take the others with it
        _log.exception("the check of %s broke", check.subject)
        return (error(check.subject, f"the check itself broke: {problem!r}", "Please report it."),)


def mend(diagnoses: Iterable[Diagnosis]) -> tuple[Mended, ...]:
    """Do what is safe for every finding that has a fix; one that fails does not stop the next."""
    return tuple(Mended(fix.title, _problem(fix)) for each in diagnoses if (fix := each.finding.fix))


def _problem(fix: Fix) -> str:
    try:
        fix.run()
    except MldeployError as problem:
        return f"{problem.where}: {problem.what}"
    except Exception as problem:  # noqa: BLE001 - neither must a fix that fails
        _log.exception("the fix broke: %s", fix.title)
        return repr(problem)
    return ""
