"""All checks of the doctor, in the order of the report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from mldeploy.config.chosen_port import apply_chosen_port
from mldeploy.config.errors import ConfigError
from mldeploy.config.load import target_settings
from mldeploy.config.override import Overrides
from mldeploy.doctor import clock, configuration
from mldeploy.doctor.context import DoctorContext
from mldeploy.doctor.engine import findings as engine
from mldeploy.doctor.folder import content as folder
from mldeploy.doctor.network import checks as network
from mldeploy.doctor.network.probes import NetworkProbes
from mldeploy.doctor.runner import FindingGroup, GroupedFinding, run_checks
from mldeploy.providers import registry
from mldeploy.providers.capabilities import Diagnosable, DoctorCheck
from mldeploy.providers.errors import PluginError


def diagnose(folder_path: Path, target_name: str, account: Overrides = ()) -> tuple[GroupedFinding, ...]:
    """Run all checks of an app for a target. Changes nothing; takes seconds.

    account: overrides of the target's settings. A provider that cannot be loaded, without its extra, is a finding.
    Raises UnknownTargetError.
    """
    return run_checks(_list_checks(DoctorContext.of(folder_path, target_name, account)))


def _list_checks(context: DoctorContext) -> Iterator[tuple[FindingGroup, DoctorCheck]]:
    answers = NetworkProbes(context)
    groups = {
        FindingGroup.ENGINE: engine.engine_checks(context),
        FindingGroup.FOLDER: folder.folder_checks(context),
        FindingGroup.CONFIGURATION: configuration.checks(context),
        FindingGroup.NETWORK: network.network_checks(context, answers),
        FindingGroup.CLOCK: clock.checks(context, answers),
        FindingGroup.TARGET: target_checks(context),
    }
    for group, checks in groups.items():
        for check in checks:
            yield group, check


def target_checks(context: DoctorContext) -> Sequence[DoctorCheck]:
    """Return the target's own checks.

    Empty if its provider cannot be loaded or its settings are invalid, which `configuration.checks` reports.
    Raises UnknownTargetError.
    """
    try:
        provider = registry.find(context.target)
    except PluginError:
        return ()
    project = context.reading.project
    if project is None or not isinstance(provider, Diagnosable):
        return ()
    try:
        settings = target_settings(context.folder, context.target, provider.settings, context.account)
    except ConfigError:
        return ()
    return provider.checks(project, apply_chosen_port(project, context.target, settings))
