"""Where the app of a name comes from: a record beside its journals, so that another folder does not take its name."""

from __future__ import annotations

import contextlib
import json
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from mldeploy.core.files import UnreadableError, read_text
from mldeploy.core.git import run_git
from mldeploy.core.parsing import parse_json
from mldeploy.core.scratch import remove_file, replace_file

NO_FOLDER = "/"
"""Of a project of which only the name is known."""
_FILE = "origin.json"
_SECONDS = 10


@dataclass(frozen=True)
class AppOrigin:
    """The folder of an app. repository: its address and the path in it, "" without one."""

    folder: str
    repository: str = ""

    def __str__(self) -> str:
        return self.repository or self.folder

    def is_same_app(self, other: AppOrigin) -> bool:
        """Whether both are one project: the same folder, or two working copies of one repository.

        A folder that is gone was moved or renamed: its app belongs to whoever has it now.
        """
        if self.folder == other.folder or (self.repository and self.repository == other.repository):
            return True
        return not self.repository and not Path(self.folder).exists()


def find_origin(folder: Path) -> AppOrigin:
    """Return where a folder comes from. Runs git, which reads the local repository alone."""
    address = _without_credentials(_git(folder, "config", "--get", "remote.origin.url"))
    prefix = _git(folder, "rev-parse", "--show-prefix") if address else ""
    return AppOrigin(str(folder), f"{address}#{prefix}".rstrip("#/") if address else "")


def read_origin(state: Path, app: str) -> AppOrigin | None:
    """Return the recorded origin of an app; None if there is none, as of an app of an earlier version."""
    try:
        document = parse_json(read_text(_path(state, app)))
    except (FileNotFoundError, NotADirectoryError, UnreadableError, ValueError):
        return None
    if not isinstance(document, dict) or not isinstance(document.get("folder"), str):
        return None
    return AppOrigin(document["folder"], str(document.get("repository", "")))


def record_origin(state: Path, app: str, origin: AppOrigin) -> None:
    """Write the origin of an app. A state folder that cannot be written is the journal's to report."""
    path = _path(state, app)
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace_file(path, json.dumps(asdict(origin)))


def forget_origin(state: Path, app: str) -> None:
    """Remove the record of an app that has no journal any more."""
    path = _path(state, app)
    with contextlib.suppress(OSError):
        if not has_journal(state, app):
            remove_file(path)
            path.parent.rmdir()


def has_journal(state: Path, app: str) -> bool:
    """Whether anything of an app is recorded as created and not removed, on any target."""
    return any(_path(state, app).parent.glob("*.journal"))


def _path(state: Path, app: str) -> Path:
    return state / quote(app, safe="") / _FILE


def _git(folder: Path, *words: str) -> str:
    try:
        done = run_git(*words, folder=folder, seconds=_SECONDS)
    except (OSError, subprocess.SubprocessError):
        return ""
    return "" if done.returncode else done.stdout.strip()


def _without_credentials(url: str) -> str:
    if "://" not in url:
        return url
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))
