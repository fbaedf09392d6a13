"""The checks of the configuration: what is read, in which order, and what is in force."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from mldeploy.config.errors import ConfigError
from mldeploy.config.load import TABLES, read, target_settings
from mldeploy.config.override import from_environment, scalars
from mldeploy.config.paths import config_file, state_folder
from mldeploy.config.resolve import Raw
from mldeploy.config.sources import OWN_FILE, PYPROJECT
from mldeploy.config.text import nearest
from mldeploy.doctor.circumstances import Circumstances
from mldeploy.doctor.text import listed
from mldeploy.project.detect.bulk import megabytes
from mldeploy.providers import registry
from mldeploy.providers.checks import Check, Finding, error, ok, warning

LITTLE_DISK = 10**7
"""Bytes. Journals and the log stay far below."""


def checks(about: Circumstances) -> Sequence[Check]:
    return (
        Check("configuration", lambda: _sources(about.folder)),
        Check("target", lambda: _target(about)),
        Check("state", _state),
    )


def _sources(folder: Path) -> Iterator[Finding]:
    """The files and variables, the weakest first. Raises ConfigError for the first that is wrong."""
    raw = read(folder)
    yield ok("user file", _user_file(raw))
    yield ok("project file", _project_file(raw))
    yield ok("environment", _environment())
    known = registry.names()
    for name in raw.tables.target:
        if name not in known:
            what = f"there is no target {name!r}{nearest(name, known)}"
            yield warning(raw.written.where(("target", name)), what, f"Known targets: {', '.join(known)}.")


def _user_file(raw: Raw) -> str:
    """What it says is found by its origin: what the project says itself has another one."""
    path = config_file()
    if not path.exists():
        return f"none at {path}"
    keys = [".".join(key) for key, origin in raw.written.origins.items() if origin.startswith(str(path))]
    return f"{path} sets {listed(keys)}" if keys else f"{path} sets nothing that the project does not set itself"


def _project_file(raw: Raw) -> str:
    if (raw.folder / OWN_FILE).exists():
        return f"{OWN_FILE}, over the user file"
    if raw.written.prefix.startswith(PYPROJECT):
        return f"[tool.mldeploy] in {PYPROJECT}, over the user file"
    return "none; what the folder shows and the defaults hold"


def _environment() -> str:
    """The variables by their names; their values may be secrets."""
    names = {name: key for table, model in TABLES.items() for name, key in scalars(model, table).items()}
    found = [f"{each.flag} sets {each.key}" for each in from_environment(names)]
    found += [name for name in sorted(os.environ) if name.startswith("MLDEPLOY_TARGET_") and os.environ[name]]
    return f"{listed(found)}, over both files" if found else "no MLDEPLOY_… variable is set"


def _target(about: Circumstances) -> Iterator[Finding]:
    """Raises ConfigError if the target's table is wrong."""
    if isinstance(about.reading.problem, ConfigError):
        return
    target_settings(about.folder, about.target, registry.find(about.target).settings, about.account)
    yield ok("target", f"{about.target}, its settings are valid")


def _state() -> Iterator[Finding]:
    """Journals and locks can be written. Raises ConfigError if there is no place for them."""
    folder = state_folder()
    existing = next(each for each in (folder, *folder.parents) if each.exists())
    if not os.access(existing, os.W_OK | os.X_OK) or not existing.is_dir():
        todo = "Correct its permissions, or set XDG_STATE_HOME to another folder."
        yield error("state", f"{existing} cannot be written, and journals and locks go to {folder}", todo)
        return
    free = shutil.disk_usage(existing).free
    if free < LITTLE_DISK:
        what = f"{megabytes(free)} free in {existing}: nothing is begun that cannot be written down first"
        yield error("state", what, "Free some space, or set XDG_STATE_HOME to another disk.")
        return
    yield ok("state", f"journals, locks and the log go to {folder}")
