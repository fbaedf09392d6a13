"""From files, variables and flags to settings.

Precedence: defaults < user's file < project < its `[env.NAME]` < variables < flags.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from pydantic import BaseModel

from mldeploy.config import environments
from mldeploy.config.check import checked
from mldeploy.config.environments import (
    EnvironmentChoice,
    choose_environment,
    is_environment_key,
    require_environment_name,
)
from mldeploy.config.errors import ConfigError, joined
from mldeploy.config.host_access import READABLE_VARIABLES
from mldeploy.config.model import AppTable, BuildTable, CheckTable, ConfigFile, RolloutTable
from mldeploy.config.model_table import ModelTable
from mldeploy.config.override import (
    PREFIX,
    Override,
    Overrides,
    from_environment,
    parsed,
    scalar_type,
    scalars,
    variable,
)
from mldeploy.config.resolve import FolderDefaults, RawConfig, resolve
from mldeploy.config.settings import Project
from mldeploy.config.sources import ConfigSource, Tables, over_machine, read_files
from mldeploy.config.target import TargetSettings
from mldeploy.config.text import nearest, printable
from mldeploy.core.origin import NO_FOLDER

TABLES: Mapping[str, type[BaseModel]] = {
    "app": AppTable,
    "model": ModelTable,
    "build": BuildTable,
    "check": CheckTable,
    "rollout": RolloutTable,
}
OWN_VARIABLES: frozenset[str] = frozenset({READABLE_VARIABLES, environments.VARIABLE})
"""Variables of mldeploy that set no key."""

SettingsT = TypeVar("SettingsT", bound=TargetSettings)


def load(folder: Path, overrides: Overrides = ()) -> Project:
    """The settings of the project in `folder`, without looking at the project itself.

    `project.load.load_project` is this and more: it finds what the configuration leaves out, and checks what it names.
    Reads files and the environment; may be repeated. Raises ConfigError.
    """
    return resolve(read(folder, overrides), FolderDefaults())


def read(folder: Path, overrides: Overrides = (), detected: Tables = MappingProxyType({})) -> RawConfig:
    """What is written for the project in `folder`, checked but not completed. Raises ConfigError.

    detected: what stands in the folder, which holds where the project's own configuration is silent.
    """
    folder, environment = absolute(folder), choose_environment(overrides)
    files = read_files(folder, detected, environment)
    keys = {name: key for table, model in TABLES.items() for name, key in scalars(model, table).items()}
    _refuse_unknown_variables(keys)
    mine = [each for each in overrides if each.key != environments.KEY and not each.key.startswith("target.")]
    written = files.under([*from_environment(keys), *mine], _read_text)
    raw = RawConfig(folder, checked(ConfigFile, written), written, environment)
    _check_environments(raw)
    return raw


def _check_environments(raw: RawConfig) -> None:
    """Check the tables of every environment, if none is chosen. Raises ConfigError."""
    for name in raw.tables.env:
        require_environment_name(name, raw.written.where((environments.KEY, name)))
        if raw.environment is None:
            checked(ConfigFile, read_files(raw.folder, environment=EnvironmentChoice(name, environments.FLAG)))


def proposed(folder: Path, detected: Mapping[str, object]) -> RawConfig:
    """What a project's file would mean that says what was found, whatever the one says that is there now."""
    written = over_machine(ConfigSource(dict(detected), "", {}))
    return RawConfig(absolute(folder), checked(ConfigFile, written), written)


def named(name: str, flag: str, overrides: Overrides = ()) -> Project:
    """The defaults, for an app of which nothing is known but its name: its folder may be broken, or gone.

    flag: what the user wrote the name after. overrides: may choose an environment, which is in no file; without one the
    name may be that of an app in an environment. Raises ConfigError if no app can have that name.
    """
    written = ConfigSource({}, "", {}).under([Override("app.name", name, flag)], _read_text)
    choice = choose_environment(overrides)
    is_key = choice is None or is_environment_key(name, choice.name)
    raw = RawConfig(Path(NO_FOLDER), checked(ConfigFile, written), written, None if is_key else choice)
    return resolve(raw, FolderDefaults())


def list_environments(folder: Path) -> tuple[str, ...]:
    """Return the names of the environments in the project's file. Raises ConfigError."""
    tables = read_files(absolute(folder)).values.get(environments.KEY, {})
    return tuple(tables) if isinstance(tables, dict) else ()


def target_settings(folder: Path, name: str, model: type[SettingsT], overrides: Overrides = ()) -> SettingsT:
    """What is written in `[target.NAME]`, checked against the provider's model. Raises ConfigError."""
    table = f"target.{name}"
    keys = scalars(model, table)
    _refuse_strange(variable(f"{table}."), keys)
    kinds = {f"{table}.{key}": scalar_type(info.annotation) for key, info in model.model_fields.items()}
    mine = [override for override in overrides if override.key.startswith(f"{table}.")]
    is_named = folder == Path(NO_FOLDER)  # then there is no file that could have an environment
    files = read_files(absolute(folder), environment=None if is_named else choose_environment(overrides))
    written = files.under([*from_environment(keys), *mine], lambda key, text: parsed(text, kinds.get(key)))
    return checked(model, written, ("target", name))


def absolute(folder: Path) -> Path:
    """The folder's real path, whether or not it exists. Raises ConfigError if it cannot be told."""
    try:
        return folder.resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a NUL, the current folder removed
        raise ConfigError("--project", f"{str(folder)!a} is not a folder that can be used: {error}") from error


def _read_text(key: str, text: str) -> object:
    table, _, rest = key.partition(".")
    field = TABLES[table].model_fields.get(rest) if table in TABLES else None
    return parsed(text, scalar_type(field.annotation) if field is not None else None)


def _refuse_unknown_variables(keys: Mapping[str, str]) -> None:
    _refuse_strange(PREFIX, {**keys, **dict.fromkeys(OWN_VARIABLES, "")}, ignore=variable("target."))


def _refuse_strange(prefix: str, known: Mapping[str, str], ignore: str | None = None) -> None:
    """Raise for every variable with `prefix` that sets nothing: a slip in its name must not go unnoticed."""
    strange = [
        name
        for name in sorted(os.environ)
        if name.startswith(prefix) and name not in known and not (ignore and name.startswith(ignore))
    ]
    remedy = "Unset it. `mldeploy help config TABLE` names the variables of a table."
    if strange:
        raise joined(
            [ConfigError(printable(name), f"unknown variable{nearest(name, known)}", remedy) for name in strange]
        )
