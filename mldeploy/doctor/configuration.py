"""Checks of the configuration: its sources, their order, and the target's settings."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence

from mldeploy.config.errors import ConfigError
from mldeploy.config.load import TABLES, read, target_settings
from mldeploy.config.override import from_environment, scalars
from mldeploy.config.paths import config_file, state_folder
from mldeploy.config.resolve import RawConfig
from mldeploy.config.sources import OWN_FILE, PYPROJECT
from mldeploy.config.text import nearest
from mldeploy.doctor.context import DoctorContext, join_words
from mldeploy.project.detect.file_checks import format_size
from mldeploy.providers import registry
from mldeploy.providers.capabilities import DoctorCheck, Finding, error, ok, warning

DISK_MINIMUM = 10**7
"""In bytes. Journals and the log need much less."""


def checks(context: DoctorContext) -> Sequence[DoctorCheck]:
    return (
        DoctorCheck("configuration", lambda: _report_sources(context)),
        DoctorCheck("target", lambda: _check_target(context)),
        DoctorCheck("state", _check_state),
    )


def _report_sources(context: DoctorContext) -> Iterator[Finding]:
    """Report the files and variables, lowest precedence first. Raises ConfigError for the first invalid one."""
    raw = read(context.folder, context.account)
    yield ok("user file", _user_file(raw))
    yield ok("project file", _project_file(raw))
    yield ok("environment", _environment())
    known = registry.names()
    for name in raw.tables.target:
        if name not in known:
            what = f"there is no target {name!r}{nearest(name, known)}"
            yield warning(raw.written.where(("target", name)), what, f"Known targets: {', '.join(known)}.")


def _user_file(raw: RawConfig) -> str:
    """Describe the user file. Its keys are those with its path as origin."""
    path = config_file()
    if not path.exists():
        return f"none at {path}"
    keys = [".".join(key) for key, origin in raw.written.origins.items() if origin.startswith(str(path))]
    return f"{path} sets {join_words(keys)}" if keys else f"the project overrides all settings of {path}"


def _project_file(raw: RawConfig) -> str:
    if (raw.folder / OWN_FILE).exists():
        return f"{OWN_FILE}, over the user file"
    if raw.written.prefix.startswith(PYPROJECT):
        return f"[tool.mldeploy] in {PYPROJECT}, over the user file"
    return "none; detection in the folder and the defaults apply"


def _environment() -> str:
    """Describe the variables by name. Their values may be secrets."""
    names = {name: key for table, model in TABLES.items() for name, key in scalars(model, table).items()}
    variables = [f"{each.flag} sets {each.key}" for each in from_environment(names)]
    variables += [name for name in sorted(os.environ) if name.startswith("MLDEPLOY_TARGET_") and os.environ[name]]
    return f"{join_words(variables)}, over both files" if variables else "no MLDEPLOY_… variable is set"


def _check_target(context: DoctorContext) -> Iterator[Finding]:
    """Raises PluginError if the provider cannot be loaded, ConfigError if the target's table is wrong."""
    provider = registry.find(context.target)
    if isinstance(context.reading.problem, ConfigError):
        return
    target_settings(context.folder, context.target, provider.settings, context.account)
    yield ok("target", f"{context.target}, its settings are valid")


def _check_state() -> Iterator[Finding]:
    """Check that journals and locks can be written. Raises ConfigError without a state folder."""
    folder = state_folder()
    existing = next(each for each in (folder, *folder.parents) if each.exists())
    if not os.access(existing, os.W_OK | os.X_OK) or not existing.is_dir():
        todo = "Correct its permissions, or set XDG_STATE_HOME to another folder."
        yield error("state", f"{existing} is not writable, but journals and locks go to {folder}", todo)
        return
    free = shutil.disk_usage(existing).free
    if free < DISK_MINIMUM:
        what = f"{format_size(free)} free in {existing}: nothing is begun that cannot be written down first"
        yield error("state", what, "Free some space, or set XDG_STATE_HOME to another disk.")
        return
    yield ok("state", f"journals, locks and the log go to {folder}")
