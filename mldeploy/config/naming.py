"""The name of an app that no configuration names: guessed so that two folders do not get one name by accident."""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from mldeploy.config.errors import ConfigError
from mldeploy.config.kinds import NAME_LENGTH, dns_label
from mldeploy.config.paths import state_folder
from mldeploy.config.sources import PYPROJECT
from mldeploy.core.files import UnreadableError, read_text
from mldeploy.core.origin import find_origin, has_journal, read_origin
from mldeploy.core.parsing import parse_toml

_DIGITS = 6


@dataclass(frozen=True)
class GuessedName:
    """A valid app name. why: its origin, in words. is_read: it comes from a file, and not from the folder's name."""

    name: str
    why: str
    is_read: bool


def guess_name(folder: Path) -> GuessedName:
    """Return the name of the app in a folder: of `[project]` in pyproject.toml, else of the folder.

    What was deployed from the folder under the name that earlier versions guessed keeps that name. Reads pyproject.toml
    and the state folder.
    """
    project = _project_name(folder)
    why = f"[project] name in {PYPROJECT}" if project else "the folder's name"
    guessed = GuessedName(distinct_label(project or folder.name), why, is_read=bool(project))
    earlier = dns_label(folder.name)
    if earlier != guessed.name and _is_deployed(folder, earlier):
        return GuessedName(earlier, "the name of its earlier deployment", is_read=True)
    return guessed


def distinct_label(text: str) -> str:
    """Return the nearest valid app name. One that had to leave out letters or digits ends with a hash of the text."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    label = dns_label(plain)
    is_whole = all(char.isascii() for char in text if char.isalnum()) and any(char.isalnum() for char in plain)
    if is_whole and label in {(full := _full_label(plain)), f"app-{full}"} and len(full) <= NAME_LENGTH:
        return label
    digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:_DIGITS]
    return f"{label[: NAME_LENGTH - _DIGITS - 1].strip('-')}-{digest}"


def _full_label(text: str) -> str:
    """The label without its limit of characters."""
    words = "".join(char if char.isalnum() else " " for char in text.lower()).split()
    return "-".join(words)


def _project_name(folder: Path) -> str:
    """The name of the project in pyproject.toml, "" for none. Standard: PyPA, pyproject.toml, `name`."""
    try:
        document = parse_toml(read_text(folder / PYPROJECT))
    except (OSError, UnreadableError, ValueError):
        return ""
    project = document.get("project")
    name = project.get("name") if isinstance(project, dict) else None
    return name if isinstance(name, str) and any(char.isalnum() for char in name) else ""


def _is_deployed(folder: Path, name: str) -> bool:
    """Whether an app of this name is deployed that is not known to come from another folder."""
    try:
        state = state_folder()
        if not has_journal(state, name):
            return False
    except (ConfigError, OSError):
        return False
    owner = read_origin(state, name)
    return owner is None or owner.is_same_app(find_origin(folder))
