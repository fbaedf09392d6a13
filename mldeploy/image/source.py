"""Where the code comes from, as far as git knows."""

from __future__ import annotations

import subprocess
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

_PREFIX = "org.opencontainers.image"
_SECONDS = 10


def source_labels(folder: Path) -> dict[str, str]:
    """The OCI labels source, revision and version of a folder under git; those that git does not know are left out.

    A revision that ends in `-dirty` had uncommitted changes. Standard: OCI image spec 1.1, annotations.
    """
    revision = _git(folder, "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty")
    labels = {
        f"{_PREFIX}.source": _without_credentials(_git(folder, "config", "--get", "remote.origin.url")),
        f"{_PREFIX}.revision": revision,
        f"{_PREFIX}.version": _git(folder, "describe", "--tags", "--always", "--dirty") if revision else "",
    }
    return {name: value for name, value in labels.items() if value}


def _git(folder: Path, *words: str) -> str:
    """What git answers; empty if there is no git, no repository, or no answer."""
    command = ["git", "-C", str(folder), *words]
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=_SECONDS).stdout.strip()
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""


def _without_credentials(url: str) -> str:
    """A remote's URL may hold a token; `git@host:path` holds none."""
    if "://" not in url:
        return url
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))
