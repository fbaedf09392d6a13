"""A project in a git repository elsewhere: brought here, and brought up to date each time that it is named."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Self
from urllib.parse import urlsplit

from mldeploy.project.errors import ProjectError

SECONDS = 600
"""What a fetch may take."""

_URL = re.compile(r"(https?|ssh|git|file)://\S+")
_SCP = re.compile(r"[\w.-]+@[\w.-]+:\S+")


@dataclass(frozen=True)
class Address:
    """Where a project is. url: the repository's. ref: a branch, tag or commit, "" for the usual one. folder: in it.

    Written as Docker writes it: `https://host/repository.git#ref:folder`.
    https://docs.docker.com/build/concepts/context/#url-fragments
    """

    url: str
    ref: str = ""
    folder: str = ""

    @classmethod
    def of(cls, text: str) -> Self | None:
        """None for what is no address, but the name of a folder. Raises ProjectError for one that holds a password."""
        url, _, fragment = text.partition("#")
        if not (_URL.fullmatch(url) or _SCP.fullmatch(url)):
            return None
        if _has_credentials(url):
            todo = "Leave it out: git asks its credential helper (`git help credentials`), or use an SSH key."
            raise ProjectError("-C", "the repository's address holds credentials, which others could read here", todo)
        ref, _, folder = fragment.partition(":")
        return cls(url, ref, folder.strip("/"))

    @property
    def name(self) -> str:
        """What a clone of it is usually called."""
        return re.split(r"[/:]", self.url.rstrip("/"))[-1].removesuffix(".git") or "repository"


def _has_credentials(url: str) -> bool:
    """The user of an SSH address is none, and that of an HTTP one may well be a token."""
    try:
        place = urlsplit(url)
        return bool(place.password or (place.username and place.scheme in {"http", "https"}))
    except ValueError as error:
        raise ProjectError("-C", f"is no address of a repository: {error}", "Correct it.") from error


def checked_out(address: Address, cache: Path) -> Path:
    """The project's folder as it is there now, in a clone below `cache`; whatever somebody changed in it is gone.

    May be repeated; another command that does the same is waited for. Raises ProjectError: there is no git, no such
    repository, ref or folder, or git may not read it.
    """
    clone = cache / hashlib.sha256(address.url.encode()).hexdigest()[:16] / address.name
    try:
        with _alone(clone):
            _update(address, clone)
    except OSError as error:
        raise ProjectError(str(clone), f"cannot be written to ({error.strerror})", "Check the disk.") from error
    folder = clone.joinpath(*PurePosixPath(address.folder).parts)
    if not folder.resolve().is_relative_to(clone.resolve()) or not folder.is_dir():
        raise ProjectError(address.url, f"has no folder {address.folder!r}", "Correct what stands after the colon.")
    return folder


@contextmanager
def _alone(clone: Path) -> Iterator[None]:
    clone.parent.mkdir(parents=True, exist_ok=True)
    with (clone.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _update(address: Address, clone: Path) -> None:
    if not (clone / ".git").is_dir():
        _git(address, "init", "--quiet", str(clone))
        _git(address, "-C", str(clone), "remote", "add", "origin", address.url)
    _git(address, "-C", str(clone), "fetch", "--quiet", "--depth=1", "--no-tags", "origin", address.ref or "HEAD")
    _git(address, "-C", str(clone), "checkout", "--quiet", "--force", "--detach", "FETCH_HEAD")
    _git(address, "-C", str(clone), "clean", "--quiet", "-ffdx")


def _git(address: Address, *words: str) -> None:
    # Nobody sits there to answer a question: what needs one fails, and says so.
    quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_SSH_COMMAND": os.environ.get("GIT_SSH_COMMAND", "ssh -oBatchMode=yes")}
    try:
        done = subprocess.run(
            ["git", *words], env={**os.environ, **quiet, "LC_ALL": "C"}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, errors="replace", timeout=SECONDS, check=False,
        )  # fmt: skip
    except FileNotFoundError as error:
        todo = "Install git, or name a folder."
        raise ProjectError("git", "is not installed, and the project is in a git repository", todo) from error
    except subprocess.TimeoutExpired as error:
        raise ProjectError(address.url, f"was not fetched within {SECONDS} s", "Check the network.") from error
    if done.returncode:
        said = [line.removeprefix("fatal: ") for line in done.stderr.splitlines() if line.strip()]
        what = f"git cannot fetch it: {said[0] if said else f'code {done.returncode}'}"
        todo = "`git ls-remote` with that address shows whether git can read it, and which refs it has."
        raise ProjectError(address.url, what, todo)
