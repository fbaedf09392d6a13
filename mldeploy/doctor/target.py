"""The target's own checks."""

from __future__ import annotations

from collections.abc import Sequence

from mldeploy.config.errors import ConfigError
from mldeploy.config.load import target_settings
from mldeploy.doctor.circumstances import Circumstances
from mldeploy.providers import registry
from mldeploy.providers.checks import Check, Diagnosable


def checks(about: Circumstances) -> Sequence[Check]:
    """None where the target has none, or where its settings are wrong, which the configuration's checks say.

    Raises UnknownTargetError, PluginError.
    """
    provider, project = registry.find(about.target), about.reading.project
    if project is None or not isinstance(provider, Diagnosable):
        return ()
    try:
        settings = target_settings(about.folder, about.target, provider.settings, about.account)
    except ConfigError:
        return ()
    return provider.checks(project, settings)
