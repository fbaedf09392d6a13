"""The repository that the folder is in, as git knows it: where its origin is, its branch, and what is left out."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mldeploy.ci.signing.base import CiSystem
from mldeploy.core.files import read_text
from mldeploy.core.git import run_git
from mldeploy.project.errors import ProjectError

_GITHUB = re.compile(
    r"(?:https?://(?:[^@/]+@)?|ssh://(?:[^@/]+@)?|git://|[\w.-]+@)(?:ssh\.)?github\.com(?::\d+)?[:/]+"
    r"(?P<name>[A-Za-z0-9-]+/[A-Za-z0-9._-]+?)(?:\.git)?/?"
)
"""Every way in which git writes where a repository of GitHub's is."""
SECONDS = 30


@dataclass(frozen=True)
class GitRepository:
    """root: where it begins, or the folder itself where there is no repository. name: `owner/name`, "" if nobody says.

    branch: the one that is checked out, "" if none is. host: of a GitLab instance.
    """

    root: Path
    is_git: bool
    name: str = ""
    branch: str = ""
    host: str = "gitlab.com"

    @classmethod
    def of(cls, folder: Path, system: CiSystem = CiSystem.GITHUB) -> GitRepository:
        """The one that the folder is in. Reads only. Raises ProjectError if git is there and will not say."""
        root = next((each for each in (folder, *folder.parents) if os.path.lexists(each / ".git")), None)
        if root is None:
            return cls(folder, is_git=False)
        url = _git(root, "config", "--get", "remote.origin.url")
        branch = _git(root, "symbolic-ref", "--quiet", "--short", "HEAD")
        if system is CiSystem.GITHUB:
            return cls(root, True, github_name(url), branch)
        if system is CiSystem.AZURE_PIPELINES:
            return cls(root, True, devops_project(url), branch)
        host, name = project_path(url)
        return cls(root, True, name, branch, host or "gitlab.com")

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
            return "filter=lfs" in read_text(self.root / ".gitattributes", errors="replace")
        except OSError:
            return False


def github_name(url: str) -> str:
    """`owner/name` of a repository's address at GitHub, "" for any other address."""
    match = _GITHUB.fullmatch(url.strip())
    return match["name"] if match else ""


_ANYWHERE = re.compile(
    r"(?:https?://(?:[^@/]+@)?|ssh://(?:[^@/]+@)?|[\w.-]+@)(?P<host>[\w.-]+)(?::\d+(?=/))?[:/]+"
    r"(?P<name>[A-Za-z0-9._/-]+?)(?:\.git)?/?"
)


def project_path(url: str) -> tuple[str, str]:
    """The host and the path of a repository's address at a GitLab instance, "" for what is none."""
    match = _ANYWHERE.fullmatch(url.strip())
    return (match["host"], match["name"]) if match and "/" in match["name"] else ("", "")


_DEVOPS = re.compile(
    r"(?:https://(?:[^@/]+@)?dev\.azure\.com/|git@ssh\.dev\.azure\.com:v3/)"
    r"(?P<organization>[\w.-]+)/(?P<project>[\w.-]+)/(?:_git/)?[^/]+"
)


def devops_project(url: str) -> str:
    """`organization/project` of a repository's address at Azure DevOps, "" for any other address."""
    match = _DEVOPS.fullmatch(url.strip())
    return f"{match['organization']}/{match['project']}" if match else ""


def _git(folder: Path, *words: str) -> str:
    """What git says, "" where it says no (exit code 1), or is not installed. Raises ProjectError for anything else."""
    try:
        done = run_git(*words, folder=folder, seconds=SECONDS)
    except FileNotFoundError:
        return ""
    except subprocess.TimeoutExpired as error:
        raise ProjectError(str(folder), f"git does not answer within {SECONDS} s", "Try again.") from error
    if done.returncode > 1:
        message = done.stderr.strip().removeprefix("fatal: ").partition("\n")[0]
        raise ProjectError(
            str(folder), f"git cannot read the repository: {message}", "See what `git status` says there."
        )
    return done.stdout.strip()
