"""What git says of the folder that is deployed: as labels of its image, and as the source of a deployment."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from mldeploy.core.git import run_git
from mldeploy.image.labels import BRANCH

_PREFIX = "org.opencontainers.image"
_SECONDS = 10
_DIRTY = "-dirty"
_BRANCH_VARIABLES = ("GITHUB_HEAD_REF", "GITHUB_REF_NAME", "CI_COMMIT_REF_NAME", "BUILD_SOURCEBRANCHNAME")
"""Of GitHub Actions, GitLab CI and Azure Pipelines, which check out a commit without its branch."""


@dataclass(frozen=True)
class SourceState:
    """A commit, whether tracked files had changed since, and the branch; "" for what is unknown."""

    commit: str = ""
    dirty: bool = False
    branch: str = ""


def source_of_labels(labels: Mapping[str, str]) -> SourceState:
    """Return what an image's labels say of its source."""
    revision = labels.get(f"{_PREFIX}.revision", "")
    return SourceState(revision.removesuffix(_DIRTY), revision.endswith(_DIRTY), labels.get(BRANCH, ""))


def read_source_state(folder: Path) -> SourceState:
    """Return the state of a folder. Runs git, but no program that the repository names."""
    return source_of_labels(read_source_labels(folder))


def read_source_labels(folder: Path) -> dict[str, str]:
    """The OCI labels source, revision and version of a folder under git, and its branch; unknown ones are omitted.

    A revision that ends in `-dirty` had uncommitted changes. Standard: OCI image spec 1.1, annotations.
    """
    revision = _git(folder, "describe", "--always", "--abbrev=40", "--exclude=*")
    changes = _run_git(folder, *_CHANGES) if revision else None
    mark = "-dirty" if changes else ""
    labels = {BRANCH: _read_branch(folder) if revision else ""}
    labels |= {f"{_PREFIX}.source": _without_credentials(_git(folder, "config", "--get", "remote.origin.url"))}
    if changes is not None:
        version = _git(folder, "describe", "--tags", "--always")
        labels |= {f"{_PREFIX}.revision": f"{revision}{mark}", f"{_PREFIX}.version": version and f"{version}{mark}"}
    return {name: value for name, value in labels.items() if value}


_CHANGES = ("status", "--porcelain", "--untracked-files=no", "--ignore-submodules=dirty", "--no-renames")
"""Tracked files that were changed, and submodules at another commit. `describe --dirty` would also run git in each
submodule, and with it the programs that the submodule's configuration names."""


def _git(folder: Path, *words: str) -> str:
    """Return git's output; "" without git or a repository, or on failure."""
    text = _run_git(folder, *words) or ""
    return "" if "\ufffd" in text else text


def _run_git(folder: Path, *words: str) -> str | None:
    """The same, but None without git or a repository, or on failure."""
    try:
        done = run_git(*words, folder=folder, seconds=_SECONDS)
    except (OSError, subprocess.SubprocessError):
        return None
    return None if done.returncode else done.stdout.strip()


def _without_credentials(url: str) -> str:
    """A remote's URL may hold a token; `git@host:path` holds none."""
    if "://" not in url:
        return url
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))


def _read_branch(folder: Path) -> str:
    """Return the branch; of a commit that is checked out by itself, the one that the CI system names."""
    own = _git(folder, "symbolic-ref", "--short", "--quiet", "HEAD")
    named = own or next(filter(None, (os.environ.get(name, "") for name in _BRANCH_VARIABLES)), "")
    return named if named.isprintable() else ""
