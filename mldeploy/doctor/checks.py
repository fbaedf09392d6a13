"""Everything that the doctor looks at, in the order of the report."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mldeploy.config.override import Overrides
from mldeploy.doctor import clock, configuration, target
from mldeploy.doctor.circumstances import Circumstances
from mldeploy.doctor.engine import checks as engine
from mldeploy.doctor.examination import Diagnosis, Group, examine
from mldeploy.doctor.folder import checks as folder
from mldeploy.doctor.network import checks as network
from mldeploy.doctor.network.answers import Answers
from mldeploy.providers.checks import Check


def examined(place: Path, target_name: str, account: Overrides = ()) -> tuple[Diagnosis, ...]:
    """Look at everything that an app in the folder `place` needs for the target. Changes nothing; takes seconds.

    account: what overrides the target's settings. Raises UnknownTargetError, PluginError.
    """
    return examine(_all(Circumstances.of(place, target_name, account)))


def _all(about: Circumstances) -> Iterator[tuple[Group, Check]]:
    answers = Answers(about)
    groups = {
        Group.ENGINE: engine.checks(about),
        Group.FOLDER: folder.checks(about),
        Group.CONFIGURATION: configuration.checks(about),
        Group.NETWORK: network.checks(about, answers),
        Group.CLOCK: clock.checks(about, answers),
        Group.TARGET: target.checks(about),
    }
    for group, checks in groups.items():
        for check in checks:
            yield group, check
