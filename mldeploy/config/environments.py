"""Environments: the tables `[env.NAME]`, which one is chosen, and the name of the app in it."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from mldeploy.config.errors import ConfigError
from mldeploy.config.kinds import ENVIRONMENT_LENGTH, ENVIRONMENT_NAME, NAME_LENGTH
from mldeploy.config.override import PREFIX, Override, Overrides
from mldeploy.config.text import dotted, listed, nearest, quoted

KEY = "env"
"""The table of the environments, and the key of an Override that chooses one."""
FLAG = "--env"
VARIABLE = f"{PREFIX}ENV"
TABLE_KEYS = frozenset({"protected"})
"""Keys of an environment that are no table of the file."""
PREVIEW = "preview"
"""The environment whose table is also that of every `preview-N`: one app for each pull request N. Decision 0027."""
_PREVIEW_NAME = re.compile(rf"{PREVIEW}-[0-9]{{1,6}}")
_PREVIEW_DIGITS = 6
"""Of a pull request's number."""
_DIGITS = 6


@dataclass(frozen=True)
class EnvironmentChoice:
    """An environment that the user named. flag: `--env` or `MLDEPLOY_ENV`, for errors."""

    name: str
    flag: str


def choose_environment(overrides: Overrides = ()) -> EnvironmentChoice | None:
    """Return the chosen environment: of the flag, else of the variable. Raises ConfigError for an invalid name."""
    given = next((EnvironmentChoice(str(each.value), each.flag) for each in overrides if each.key == KEY), None)
    variable = os.environ.get(VARIABLE, "")
    choice = given or (EnvironmentChoice(variable, VARIABLE) if variable else None)
    if choice is not None:
        require_environment_name(choice.name, choice.flag)
    return choice


def require_environment_name(name: str, where: str) -> None:
    """Raise ConfigError unless an environment can have the name."""
    if not re.fullmatch(ENVIRONMENT_NAME, name):
        what = f"must be the name of an environment, not {quoted(name)}"
        todo = f"A name is a letter, then letters, digits and hyphens, {ENVIRONMENT_LENGTH} at most, all in lower case."
        raise ConfigError(where, what, todo)


def environment_override(name: str | None, flag: str = FLAG) -> Overrides:
    """Return the override that chooses an environment; none for None."""
    return () if name is None else (Override(KEY, name, flag),)


def table_name(name: str, known: Collection[str]) -> str | None:
    """Return the environment whose table holds for another one: its own, or that of the previews; None for neither."""
    if name in known:
        return name
    return PREVIEW if _PREVIEW_NAME.fullmatch(name) and PREVIEW in known else None


def overlay_environment(
    values: Mapping[str, object], prefix: str, choice: EnvironmentChoice | None
) -> tuple[dict[str, object], dict[tuple[str, ...], str]]:
    """Return the tables of a project's file with those of an environment over them, and the place of each of its keys.

    A table within a table is merged key by key; any other value, a list too, replaces the one below. What has not the
    shape of a table is left to the check of the file. Raises ConfigError for an environment that is not in the file.
    """
    if choice is None:
        return dict(values), {}
    tables = values.get(KEY, {})
    known = tables if isinstance(tables, dict) else {}
    table = table_name(choice.name, known)
    if table is None:
        raise _unknown_environment(choice, list(known), prefix)
    own = known[table]
    overlay = {key: value for key, value in own.items() if key not in TABLE_KEYS} if isinstance(own, dict) else {}
    origins = {path: f"{prefix}{dotted((KEY, table, *path))}" for path in _leaves(overlay)}
    return _merge(values, overlay), origins


def _unknown_environment(choice: EnvironmentChoice, known: list[str], prefix: str) -> ConfigError:
    what = f"there is no environment {quoted(choice.name)}{nearest(choice.name, known)}"
    if known:
        return ConfigError(choice.flag, what, f"Environments: {listed(sorted(known))}.")
    file = prefix.partition(":")[0] or "mldeploy.toml"
    table = PREVIEW if _PREVIEW_NAME.fullmatch(choice.name) else choice.name
    return ConfigError(choice.flag, what, f"Add the table [{KEY}.{table}] to {file}; it may be empty.")


def _merge(below: Mapping[str, object], above: Mapping[str, object]) -> dict[str, object]:
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        merged[key] = _merge(under, value) if isinstance(under, dict) and isinstance(value, dict) else value
    return merged


def _leaves(table: Mapping[str, object], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in table.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key)


def environment_key(app: str, environment: str) -> str:
    """Return the name of an app in an environment: `insurance-staging-4d1c9f`, NAME_LENGTH characters at most.

    The end is a hash of both names, so that the app `a-b` in `c` and the app `a` in `b-c` have two. A long app name is
    shortened. Decision 0060.
    """
    end = f"-{environment}-{_digest(app, environment)}"
    return f"{app[: NAME_LENGTH - len(end)].rstrip('-')}{end}"


def preview_pattern(app: str) -> str:
    """Return a pattern (`*`: any text) of the names that an app has in its previews: `insurance-preview-*`.

    A longer name is shortened to a length that the number of digits decides, so its end is left out here.
    """
    room = NAME_LENGTH - len(f"-{PREVIEW}-") - _PREVIEW_DIGITS - 1 - _DIGITS
    stem = app if len(app) <= room else f"{app[:room].rstrip('-')}*"
    return f"{stem}-{PREVIEW}-*"


def is_environment_key(name: str, environment: str) -> bool:
    """Whether a name is one that an app has in this environment: it ends as `environment_key` ends it."""
    return re.search(rf"-{re.escape(environment)}-[0-9a-f]{{{_DIGITS}}}$", name) is not None


def split_environment_key(name: str) -> tuple[str, str] | None:
    """Return the app and the environment of a name that `environment_key` made; None for any other name.

    A name that was shortened does not tell its app: None, too.
    """
    stem, _, digest = name.rpartition("-")
    words = stem.split("-")
    for length in range(1, len(words)):
        app, environment = "-".join(words[:length]), "-".join(words[length:])
        if app and environment and digest == _digest(app, environment):
            return app, environment
    return None


def _digest(app: str, environment: str) -> str:
    return hashlib.sha256(f"{app}\0{environment}".encode()).hexdigest()[:_DIGITS]
