"""Reads the configuration files of a project and of the user, and lays flags and variables over them."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeGuard

from mldeploy.config.errors import ConfigError, joined
from mldeploy.config.files import UnreadableError, read_text
from mldeploy.config.model import MACHINE_KEYS
from mldeploy.config.override import Overrides
from mldeploy.config.paths import config_file

OWN_FILE = "mldeploy.toml"
PYPROJECT = "pyproject.toml"


@dataclass(frozen=True)
class Written:
    """What is written, merged but not checked, and who wrote it.

    prefix: place of the project's keys ("mldeploy.toml: "). origins: place of each key that is not from there.
    """

    values: Mapping[str, object]
    prefix: str
    origins: Mapping[str, str]

    def where(self, key: str) -> str:
        """The place of a dotted key, for an error: "mldeploy.toml: app.port", "--port"."""
        parts = key.split(".")
        for end in range(len(parts), 0, -1):
            if (origin := self.origins.get(".".join(parts[:end]))) is not None:
                return origin
        return f"{self.prefix}{key}"

    def under(self, overrides: Overrides, read: Callable[[str, str], object]) -> Written:
        """This with `overrides` on top. `read(key, text)` gives a text the type that the key has."""
        values: dict[str, object] = dict(self.values)
        for override in overrides:
            value = override.value
            typed = read(override.key, value) if isinstance(value, str) else value
            values = _set(values, override.key.split(".", 2), typed)
        origins = {**self.origins, **{override.key: override.flag for override in overrides}}
        return replace(self, values=values, origins=origins)


def read_files(folder: Path) -> Written:
    """The project's file over the user's. Raises ConfigError; no file at all is no error."""
    prefix, project = _project_file(folder)
    path = config_file()
    machine = _parse(str(path), path)
    _machine_keys_only(str(path), machine)
    build, project_build = machine.get("build", {}), project.get("build", {})
    if not (_is_table(build) and _is_table(project_build)):
        return Written(project, prefix, {})
    merged = {**build, **project_build}
    origins = {f"build.{key}": f"{path}: build.{key}" for key in build.keys() - project_build.keys()}
    return Written({**project, "build": merged} if merged else project, prefix, origins)


def _project_file(folder: Path) -> tuple[str, dict[str, object]]:
    own = _parse(OWN_FILE, folder / OWN_FILE)
    tool = _parse(PYPROJECT, folder / PYPROJECT, only_with="mldeploy").get("tool")
    if not _is_table(tool) or "mldeploy" not in tool:
        return f"{OWN_FILE}: ", own
    if (folder / OWN_FILE).exists():
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
        return tomllib.loads(text) if only_with in text else {}
    except FileNotFoundError:
        return {}
    except UnreadableError as error:
        raise ConfigError(name, error.what, "Make it a readable text file, or remove it.") from error
    except RecursionError as error:
        raise ConfigError(name, "is nested too deeply") from error
    except ValueError as error:  # tomllib's own error, or a number of thousands of digits
        raise ConfigError(name, f"is not valid TOML: {_said(error)}", "See https://toml.io for the syntax.") from error


def _said(error: ValueError) -> str:
    text = str(error)
    return text[:1].lower() + text[1:] if isinstance(error, tomllib.TOMLDecodeError) else "a number is too long"


def _machine_keys_only(name: str, values: Mapping[str, object]) -> None:
    keys = [
        f"{table}.{key}" if _is_table(entries) and entries else table
        for table, entries in values.items()
        for key in (entries if _is_table(entries) and entries else [""])
    ]
    strange = [key for key in keys if key not in MACHINE_KEYS and key != "build"]
    known = " and ".join(sorted(MACHINE_KEYS))
    remedy = f"Move it to the project's {OWN_FILE}. This file holds {known}: what belongs to the machine."
    if strange:
        raise joined([ConfigError(f"{name}: {key}", "does not belong to a machine", remedy) for key in strange])


def _set(values: Mapping[str, object], path: list[str], value: object) -> dict[str, object]:
    """A copy of `values` with `value` at `path`; where something else than a table is in the way, unchanged."""
    key, *rest = path
    if not rest:
        return {**values, key: value}
    inner = values.get(key, {})
    return {**values, key: _set(inner, rest, value)} if _is_table(inner) else dict(values)


def _is_table(value: object) -> TypeGuard[dict[str, object]]:
    return isinstance(value, dict)
