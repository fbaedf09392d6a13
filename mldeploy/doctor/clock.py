"""Checks of the clocks. Servers reject signed requests and certificates if the clocks differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mldeploy.doctor.context import DoctorContext, format_duration
from mldeploy.doctor.engine.facts import Facts
from mldeploy.doctor.network.probes import NetworkProbes
from mldeploy.providers.capabilities import DoctorCheck, Finding, error, ok, warning

NOTICEABLE_SECONDS = 30.0
"""In seconds. Smaller differences may come from the request's duration and the Date header's precision."""
REJECTED_SECONDS = 300.0
"""In seconds. Clouds reject signatures that are five minutes off."""


def checks(context: DoctorContext, probes: NetworkProbes) -> Sequence[DoctorCheck]:
    return (
        DoctorCheck("engine", lambda: _check_engine(context)),
        DoctorCheck("this machine", lambda: _check_machine(probes)),
    )


def _check_engine(context: DoctorContext) -> Iterator[Finding]:
    if facts := context.machine.known:
        yield _compare("engine", facts.skew, "this machine's clock", _engine_remedy(facts))


def _engine_remedy(facts: Facts) -> str:
    return "" if facts.is_here else f"A virtual machine's clock stops while the computer sleeps: restart {facts.kind}."


def _check_machine(probes: NetworkProbes) -> Iterator[Finding]:
    """Compare with the server whose clock is nearest: a server's own clock may be wrong."""
    skews = {where: answer.skew for where, answer in probes.replies() if answer.skew is not None}
    if not skews:
        yield ok("this machine", "could not be compared: no server answered")
        return
    where = min(skews, key=lambda each: abs(skews[each]))
    yield _compare("this machine", -skews[where], f"the clock of {where}", "Set it: `sudo timedatectl set-ntp true`.")


def _compare(subject: str, skew: float, other: str, todo: str) -> Finding:
    """skew: seconds by which the subject is ahead of the other clock."""
    if abs(skew) < NOTICEABLE_SECONDS:
        return ok(subject, f"agrees with {other}")
    what = f"is {format_duration(skew)} {'ahead of' if skew > 0 else 'behind'} {other}"
    if abs(skew) < REJECTED_SECONDS:
        return warning(subject, what, todo)
    return error(subject, f"{what}: servers reject certificates and signed requests", todo)
