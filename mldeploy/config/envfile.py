"""Env files, as `docker run --env-file` reads them."""

from __future__ import annotations

import os
from pathlib import Path

from mldeploy.config.errors import ConfigError
from mldeploy.config.files import UnreadableError, read_text
from mldeploy.config.kinds import is_variable
from mldeploy.config.secret import Secret
from mldeploy.config.text import is_unicode, printable

_ASCII_SPACE = " \t\v\f\r"


def read_env_file(path: Path, where: str) -> dict[str, Secret]:
    """The variables of a file; the last one of a name counts. `where` is the setting that names the file.

    A line is `NAME=value`, taken as it stands (quotes and trailing spaces belong to the value), or `NAME`, whose value
    is taken from the environment; blank lines and lines that begin with # are skipped. Raises ConfigError, which
    names lines by their number only: a line that is no variable may be a piece of a secret.
    """
    try:
        text = read_text(path)
    except FileNotFoundError as error:
        raise ConfigError(
            where, f"there is no file {printable(str(path))}", "Create it, or correct the path."
        ) from error
    except UnreadableError as error:
        raise ConfigError(where, f"{printable(str(path))} {error.what}") from error
    entries: dict[str, Secret] = {}
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.removesuffix("\r").lstrip()
        if stripped and not stripped.startswith("#"):
            name, value = _variable(stripped, f"{printable(str(path))}: line {number}")
            entries[name] = Secret(value)
    return entries


def _variable(line: str, where: str) -> tuple[str, str]:
    name, equals, value = line.partition("=")
    if not equals:
        name = name.rstrip(_ASCII_SPACE)
    if not is_variable(name):
        raise ConfigError(where, "is not NAME=value", "Correct the line; a comment begins with #.")
    if not equals:
        if name not in os.environ:
            raise ConfigError(where, "names a variable that is not set here", "Set it, or write NAME=value.")
        value = os.environ[name]
    if "\0" in value or not is_unicode(value):
        raise ConfigError(where, "holds a character that no variable can hold")
    return name, value
