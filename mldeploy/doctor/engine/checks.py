"""The checks of the engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mldeploy.doctor.circumstances import Circumstances
from mldeploy.doctor.engine import judge
from mldeploy.doctor.engine.builder import builder
from mldeploy.doctor.engine.choice import reason
from mldeploy.doctor.engine.credentials import credentials
from mldeploy.doctor.engine.platform import platform
from mldeploy.doctor.engine.unreachable import unreachable
from mldeploy.doctor.engine.usage import usage
from mldeploy.image.errors import EngineError
from mldeploy.providers.checks import Check, Finding

SEARCH_SECONDS = 7.0
"""Where the chosen engine does not answer, others are knocked at afterwards."""


def checks(about: Circumstances) -> Sequence[Check]:
    """Without an engine only the first one has something to say of it."""
    return (
        Check("engine", lambda: _engine(about), SEARCH_SECONDS),
        Check("disk", lambda: _disk(about)),
        Check("platform", lambda: _platform(about)),
        Check("builder", lambda: _builder(about)),
        Check("credentials", credentials),
    )


def _engine(about: Circumstances) -> Iterator[Finding]:
    try:
        facts = about.machine.facts
    except EngineError as problem:
        yield unreachable(problem)
        return
    yield from judge.identity(facts, reason())
    yield judge.machine(facts)


def _disk(about: Circumstances) -> Iterator[Finding]:
    if facts := about.machine.known:
        yield judge.disk(facts) or usage(about.machine.engine, facts)


def _platform(about: Circumstances) -> Iterator[Finding]:
    if (facts := about.machine.known) and about.reading.project:
        yield platform(facts, about.reading.project.build.platform)


def _builder(about: Circumstances) -> Iterator[Finding]:
    if facts := about.machine.known:
        project = about.reading.project
        yield builder(facts, project.build.builder if project else "auto")
