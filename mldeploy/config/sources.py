"""Reads the configuration files of a project and of the user, and lays flags and variables over them."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TypeGuard

from mldeploy.config.environments import EnvironmentChoice, overlay_environment
from mldeploy.config.errors import ConfigError, joined
from mldeploy.config.model import MACHINE_KEYS
from mldeploy.config.override import Overrides
from mldeploy.config.paths import config_file
from mldeploy.config.text import dotted, is_unicode, listed, printable
from mldeploy.core.files import UnreadableError, read_text
from mldeploy.core.parsing import NestingError, parse_toml

OWN_FILE = "mldeploy.toml"
PYPROJECT = "pyproject.toml"


@dataclass(frozen=True)
class ConfigSource:
    """What is written, merged but not checked, and who wrote it.

    prefix: place of the project's keys ("mldeploy.toml: "). origins: place of each key, by its parts, that is not from
    there. configured: the project has a file with its configuration, be it an empty one.
    """

    values: Mapping[str, object]
    prefix: str
    origins: Mapping[tuple[str, ...], str]
    users: frozenset[tuple[str, ...]] = frozenset()
    """The keys whose values the user wrote for this machine or this command, and the project did not."""
    configured: bool = field(default=False, kw_only=True)

    def written_by_user(self, key: str) -> bool:
        """Whether a dotted key has its value from the user's own file, a variable or a flag."""
        return tuple(key.split(".")) in self.users

    def where(self, path: Sequence[str | int]) -> str:
        """The place of a key, for an error: "mldeploy.toml: app.models[0]", "--port"."""
        parts = tuple(map(str, path))
        for end in range(len(parts), 0, -1):
            if (origin := self.origins.get(parts[:end])) is not None:
                return origin
        return f"{self.prefix}{dotted(path)}"

    def location(self, key: str) -> str:
        """The place of a dotted key that may hold its default, which nobody wrote: then the key alone."""
        value: object = self.values
        for part in key.split("."):
            if not _is_table(value) or part not in value:
                return key
            value = value[part]
        return self.where(key.split("."))

    def under(self, overrides: Overrides, read: Callable[[str, str], object]) -> ConfigSource:
        """This with `overrides` on top. `read(key, text)` gives a text the type that the key has."""
        values: dict[str, object] = dict(self.values)
        for override in overrides:
            value = override.value
            if not is_unicode(override.key) or (isinstance(value, str) and not is_unicode(value)):
                raise ConfigError(override.flag, "is not UTF-8 text")
            typed = read(override.key, value) if isinstance(value, str) else value
            values = _set(values, override.path, typed)
        origins = {**self.origins, **{override.path: override.flag for override in overrides}}
        users = self.users | {override.path for override in overrides}
        return replace(self, values=values, origins=origins, users=users)


Tables = Mapping[str, Mapping[str, object]]


def read_files(
    folder: Path, detected: Tables = MappingProxyType({}), environment: EnvironmentChoice | None = None
) -> ConfigSource:
    """The project's file over the user's. detected: what stands in the folder, which holds where the project's file is
    silent. environment: whose tables hold over those of the project's file.

    Raises ConfigError; no file at all is no error.
    """
    file = _project_file(folder)
    prefix, project = file or ("", {})
    project, origins = overlay_environment(project, prefix, environment)
    for name, table in detected.items():
        own = project.get(name, {})
        if _is_table(own):
            origins |= {(name, key): f"{name}.{key}" for key in table.keys() - own.keys()}
            project = {**project, name: {**table, **own}}
    return over_machine(ConfigSource(project, prefix, origins, configured=file is not None))


def over_machine(written: ConfigSource) -> ConfigSource:
    """What is written, over the user's own file. Raises ConfigError."""
    path = config_file()
    name = printable(str(path))
    machine = _machine_build(name, _parse(name, path))
    build = written.values.get("build", {})
    if not machine or not _is_table(build):
        return written
    origins: dict[tuple[str, ...], str] = {
        ("build", key): f"{name}: build.{key}" for key in machine.keys() - build.keys()
    }
    values = {**written.values, "build": {**machine, **build}}
    return replace(written, values=values, origins={**written.origins, **origins}, users=written.users | origins.keys())


def _project_file(folder: Path) -> tuple[str, dict[str, object]] | None:
    """The place of its keys, and its tables; None if the project has no configuration."""
    own = _parse(OWN_FILE, folder / OWN_FILE)
    has_own = os.path.lexists(folder / OWN_FILE)
    tool = _parse(PYPROJECT, folder / PYPROJECT, only_with="mldeploy").get("tool")
    if not _is_table(tool) or "mldeploy" not in tool:
        return (f"{OWN_FILE}: ", own) if has_own else None
    if has_own:
        raise ConfigError(
            f"{PYPROJECT}: tool.mldeploy",
            f"there is also an {OWN_FILE}, and only one of them can hold",
            f"Move everything into {OWN_FILE} or into [tool.mldeploy], and remove the other.",
        )
    table = tool["mldeploy"]
    if not _is_table(table):
        raise ConfigError(f"{PYPROJECT}: tool.mldeploy", "must be a table")
    return f"{PYPROJECT}: tool.mldeploy.", table


def _parse(name: str, path: Path, only_with: str = "") -> dict[str, object]:
    """The file's tables; empty if there is no file, or none that contains `only_with`."""
    try:
        text = read_text(path)
    except FileNotFoundError:
        return {}
    except UnreadableError as error:
        raise ConfigError(name, error.what, "Make it a readable text file, or remove it.") from error
    try:
        return parse_toml(text) if only_with in text else {}
    except NestingError as error:
        raise ConfigError(name, "is nested too deeply", "Use fewer levels of tables and lists.") from error
    except ValueError as error:  # tomllib's own error, or a number of thousands of digits
        what = f"is not valid TOML: {_said(error, text)}"
        raise ConfigError(name, what, "See https://toml.io for the syntax.") from error


def _said(error: ValueError, text: str) -> str:
    """tomllib's words, with line and column also where it says that the end of the document was wrong."""
    if not isinstance(error, tomllib.TOMLDecodeError):
        return "a number is too long"
    message = str(error)
    end = f"at line {text.count(chr(10)) + 1}, column {len(text) - text.rfind(chr(10))}"
    return message[:1].lower() + message[1:].replace("at end of document", end)


def _machine_build(name: str, values: Mapping[str, object]) -> dict[str, object]:
    """The [build] table of the user's own file, which may hold nothing but MACHINE_KEYS."""
    build = values.get("build", {})
    if not _is_table(build):
        raise ConfigError(f"{name}: build", "must be a table")
    strange = [key for key in values if key != "build"]
    strange += [f"build.{key}" for key in build if f"build.{key}" not in MACHINE_KEYS]
    known = listed(sorted(MACHINE_KEYS))
    remedy = f"Move it to the project's {OWN_FILE}. This file holds {known}, which belong to the machine."
    if strange:
        locations = [f"{name}: {dotted(key.split('.', 1))}" for key in strange]
        raise joined([ConfigError(location, "does not belong to a machine", remedy) for location in locations])
    bundle = build.get("ca_bundle")
    if isinstance(bundle, str) and not bundle.startswith(("/", "~")):
        raise ConfigError(f"{name}: build.ca_bundle", "must be absolute or begin with ~: it holds for every folder")
    return build


def _set(values: Mapping[str, object], path: Sequence[str], value: object) -> dict[str, object]:
    """A copy of `values` with `value` at `path`; where something else than a table is in the way, unchanged."""
    key, *rest = path
    if not rest:
        return {**values, key: value}
    inner = values.get(key, {})
    return {**values, key: _set(inner, rest, value)} if _is_table(inner) else dict(values)


def _is_table(value: object) -> TypeGuard[dict[str, object]]:
    return isinstance(value, dict)
