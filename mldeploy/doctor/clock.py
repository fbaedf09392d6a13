"""The checks of the clocks: what is signed, and what carries a date, is refused by those whose clock differs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mldeploy.doctor.circumstances import Circumstances
from mldeploy.doctor.engine.facts import Facts
from mldeploy.doctor.network.answers import Answers
from mldeploy.doctor.text import duration
from mldeploy.providers.checks import Check, Finding, error, ok, warning

NOTICED = 30.0
"""Seconds. Requests take some, and a Date header has no fractions."""
REFUSED = 300.0
"""Seconds. The clouds refuse a signature that is five minutes off."""


def checks(about: Circumstances, answers: Answers) -> Sequence[Check]:
    return (Check("engine", lambda: _engine(about)), Check("this machine", lambda: _machine(answers)))


def _engine(about: Circumstances) -> Iterator[Finding]:
    if facts := about.machine.known:
        yield _judged("engine", facts.skew, "this machine's clock", _engine_remedy(facts))


def _engine_remedy(facts: Facts) -> str:
    return "" if facts.is_here else f"A virtual machine's clock stops while the computer sleeps: restart {facts.kind}."


def _machine(answers: Answers) -> Iterator[Finding]:
    """The nearest to ours of what the servers say: one of them may have a wrong clock itself."""
    skews = {where: answer.skew for where, answer in answers.heard() if answer.skew is not None}
    if not skews:
        yield ok("this machine", "could not be compared: no server was heard")
        return
    where = min(skews, key=lambda each: abs(skews[each]))
    yield _judged("this machine", -skews[where], f"the clock of {where}", "Set it: `sudo timedatectl set-ntp true`.")


def _judged(subject: str, skew: float, other: str, todo: str) -> Finding:
    """skew: seconds by which the subject is ahead of the other clock."""
    if abs(skew) < NOTICED:
        return ok(subject, f"agrees with {other}")
    what = f"is {duration(skew)} {'ahead of' if skew > 0 else 'behind'} {other}"
    if abs(skew) < REFUSED:
        return warning(subject, what, todo)
    return error(subject, f"{what}: certificates and signed requests are refused", todo)
