"""Files of environment variables, in the two formats that people have: Docker's and dotenv's."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from dotenv.parser import Binding, parse_stream
from dotenv.variables import parse_variables

from mldeploy.config.errors import ConfigError
from mldeploy.config.host_access import HostAccess
from mldeploy.config.kinds import is_variable
from mldeploy.config.secret import Secret
from mldeploy.config.text import is_unicode, printable
from mldeploy.core.files import UnreadableError, read_bytes, read_text

_ASCII_SPACE = " \t\v\f\r"
_MOST_FILES = 400
_DEPTH = 4
_NOT_SOURCE = frozenset({"venv", "env", "node_modules", "site-packages", "__pycache__", "tests"})
_SOURCE_LIMIT = 1 << 20
_READERS = (b"dotenv", b"decouple", b"environs", b"environ.Env", b"pydantic_settings", b"starlette.config")
"""Libraries that read such a file as dotenv does: quotes and comments are no part of a value."""


def read_env_file(
    path: Path, where: str, access: HostAccess | None = None, *, dotenv: bool = False
) -> dict[str, Secret]:
    """The variables of a file; the last one of a name counts. `where` is the setting that names the file.

    dotenv: the app reads the file with python-dotenv, so that quotes, `export` and comments mean what they mean there.
    Otherwise a line is `NAME=value`, taken as it stands (quotes and trailing spaces belong to the value), or `NAME`,
    whose value is taken from the environment, if `access` permits it (None: the file is the user's own); blank lines
    and lines that begin with # are skipped. Raises ConfigError, which names lines by their number only: a line that is
    no variable may be a piece of a secret.
    """
    try:
        text = read_text(path)
    except FileNotFoundError as error:
        raise ConfigError(
            where, f"there is no file {printable(str(path))}", "Create it, or correct the path."
        ) from error
    except UnreadableError as error:
        raise ConfigError(where, f"{printable(str(path))} {error.what}") from error
    return dict(_read_dotenv(text, path) if dotenv else _read_docker(text, path, access))


def uses_dotenv(folder: Path) -> bool:
    """Whether the source in a folder reads a `.env` file as python-dotenv does. Reads Python files near its top."""
    return any(map(_names_reader, islice(_python_files(folder), _MOST_FILES)))


def _python_files(folder: Path) -> Iterator[Path]:
    for path, folders, names in os.walk(folder):
        depth = len(Path(path).relative_to(folder).parts)
        own = (each for each in sorted(folders) if not each.startswith(".") and each not in _NOT_SOURCE)
        folders[:] = own if depth < _DEPTH else ()
        yield from (Path(path, name) for name in sorted(names) if name.endswith(".py"))


def _names_reader(path: Path) -> bool:
    try:
        source = read_bytes(path, limit=_SOURCE_LIMIT)
    except (OSError, UnreadableError):
        return False
    return any(name in source for name in _READERS)


def _read_docker(text: str, path: Path, access: HostAccess | None) -> Iterator[tuple[str, Secret]]:
    """Standard: docker/cli, opts/envfile.go."""
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.removesuffix("\r").lstrip()
        if stripped and not stripped.startswith("#"):
            name, value = _variable(stripped, f"{printable(str(path))}: line {number}", access)
            yield name, Secret(value)


def _read_dotenv(text: str, path: Path) -> Iterator[tuple[str, Secret]]:
    """Standard: python-dotenv. `${NAME}` is replaced by an earlier value of the file; nothing of this machine is."""
    values: dict[str, str | None] = {}
    for binding in parse_stream(io.StringIO(text)):
        if binding.key is None or binding.value is None:  # a comment, a line that dotenv ignores, or a bare name
            continue
        where = f"{printable(str(path))}: line {binding.original.line}"
        if not is_variable(binding.key):
            raise ConfigError(where, "is not NAME=value", "Correct the line; a comment begins with #.")
        value = _resolve(binding, values)
        values[binding.key] = value
        _require_text(value, where)
        yield binding.key, Secret(value)


def _resolve(binding: Binding, values: dict[str, str | None]) -> str:
    return "".join(atom.resolve(values) for atom in parse_variables(binding.value or ""))


def _variable(line: str, where: str, access: HostAccess | None) -> tuple[str, str]:
    name, equals, value = line.partition("=")
    if not equals:
        name = name.rstrip(_ASCII_SPACE)
    if not is_variable(name):
        raise ConfigError(where, "is not NAME=value", "Correct the line; a comment begins with #.")
    if not equals:
        if access is not None:
            access.require_variable(name, where)
        if name not in os.environ:
            raise ConfigError(where, "names a variable that is not set here", "Set it, or write NAME=value.")
        value = os.environ[name]
    _require_text(value, where)
    return name, value


def _require_text(value: str, where: str) -> None:
    if "\0" in value or not is_unicode(value):
        raise ConfigError(where, "holds a character that no variable can hold")
