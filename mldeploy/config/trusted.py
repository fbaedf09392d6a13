"""The repositories that the user trusts: which they are, and which project came from one that is not trusted.

A project that was named by the URL of its repository is in a clone below the cache folder. That is how every part of
mldeploy recognizes it, also when the clone itself is named: there is no flag that somebody could forget to hand on.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from mldeploy.config.errors import ConfigError
from mldeploy.config.paths import cache_folder, state_folder
from mldeploy.core.errors import StateError
from mldeploy.core.files import UnreadableError, read_text
from mldeploy.core.scratch import replace_file

TRUSTED_FILE = "trusted-repositories.json"


def repository_key(url: str) -> str:
    """The name of the folder that holds the clone of a repository."""
    return hashlib.sha256(url.encode()).hexdigest()[:32]


def clones_folder() -> Path:
    """Where the clones are."""
    return cache_folder() / "repositories"


def clone_root(folder: Path) -> Path | None:
    """The root of the clone that a folder (absolute, links resolved) is in; None for a folder of the user's own."""
    try:
        clones = clones_folder().resolve()
    except ConfigError:  # without a home there is no cache, and no clone
        return None
    if not folder.is_relative_to(clones):
        return None
    return clones.joinpath(*folder.relative_to(clones).parts[:2])


def is_trusted(url: str) -> bool:
    """Whether the user trusts the repository. Raises StateError if the list cannot be read."""
    return url in _read()


def is_trusted_clone(root: Path) -> bool:
    """The same, by the root of its clone."""
    return root.parent.name in map(repository_key, _read())


def set_trust(url: str, *, trusted: bool) -> None:
    """Remember that a repository is trusted, or that it is no longer. May be repeated. Raises StateError."""
    known = set(_read())
    changed = known | {url} if trusted else known - {url}
    if changed != known:
        _write(sorted(changed))


def _read() -> list[str]:
    path = state_folder() / TRUSTED_FILE
    try:
        urls = json.loads(read_text(path))
    except FileNotFoundError:
        return []
    except (UnreadableError, ValueError) as error:
        raise StateError(str(path), "is not a list of repositories", "Remove it, and use --trust again.") from error
    if not isinstance(urls, list) or not all(isinstance(url, str) for url in urls):
        raise StateError(str(path), "is not a list of repositories", "Remove it, and use --trust again.")
    return urls


def _write(urls: list[str]) -> None:
    path = state_folder() / TRUSTED_FILE
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace_file(path, json.dumps(urls, indent=1))
    except OSError as error:
        raise StateError(str(path), f"cannot be written ({error.strerror})", "Check its folder.") from error
