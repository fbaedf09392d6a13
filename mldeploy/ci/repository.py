"""The git repository that a folder is in: where it begins, what GitHub calls it, and what it leaves out."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mldeploy.project.errors import ProjectError

_GITHUB = re.compile(
    r"(?:https?://(?:[^@/]+@)?|ssh://(?:[^@/]+@)?|git://|[\w.-]+@)(?:ssh\.)?github\.com(?::\d+)?[:/]+"
    r"(?P<name>[A-Za-z0-9-]+/[A-Za-z0-9._-]+?)(?:\.git)?/?"
)
"""Every way in which git writes where a repository of GitHub's is."""
SECONDS = 30


@dataclass(frozen=True)
class Repository:
    """root: where it begins, or the folder itself where there is no repository. name: `owner/name`, "" if nobody says.

    branch: the one that is checked out, "" if none is.
    """

    root: Path
    is_git: bool
    name: str = ""
    branch: str = ""

    @classmethod
    def of(cls, folder: Path) -> Repository:
        """The one that the folder is in. Reads only. Raises ProjectError if git is there and will not say."""
        root = next((each for each in (folder, *folder.parents) if os.path.lexists(each / ".git")), None)
        if root is None:
            return cls(folder, is_git=False)
        url = _git(root, "config", "--get", "remote.origin.url")
        branch = _git(root, "symbolic-ref", "--quiet", "--short", "HEAD")
        return cls(root, True, github_name(url), branch)

    def below(self, folder: Path) -> str:
        """The folder's path in the repository with forward slashes, "" for all of it."""
        path = folder.relative_to(self.root).as_posix()
        return "" if path == "." else path

    def left_out(self, folder: Path, names: Iterable[str]) -> tuple[str, ...]:
        """Of some paths below the folder, those that git ignores, so that nobody else gets them."""
        if not self.is_git:
            return ()
        return tuple(name for name in names if _git(folder, "check-ignore", "--", name))

    def has_large_files(self) -> bool:
        """Some files are kept elsewhere, and only pointers to them are in the repository (git-lfs)."""
        try:
            return "filter=lfs" in (self.root / ".gitattributes").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return False


def github_name(url: str) -> str:
    """`owner/name` of a repository's address at GitHub, "" for any other address."""
    match = _GITHUB.fullmatch(url.strip())
    return match["name"] if match else ""


def _git(folder: Path, *words: str) -> str:
    """What git says, "" where it says no (exit code 1), or is not installed. Raises ProjectError for anything else."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words], env={**kept, "LC_ALL": "C"}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, errors="replace", timeout=SECONDS, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        return ""
    except subprocess.TimeoutExpired as error:
        raise ProjectError(str(folder), f"git said nothing within {SECONDS} s", "Try again.") from error
    if done.returncode > 1:
        said = done.stderr.strip().removeprefix("fatal: ").partition("\n")[0]
        raise ProjectError(str(folder), f"git cannot read the repository: {said}", "See what `git status` says there.")
    return done.stdout.strip()
