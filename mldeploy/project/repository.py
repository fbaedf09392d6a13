"""A project in a remote git repository: cloned into the cache, and updated at each use."""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Self
from urllib.parse import SplitResult, urlsplit

from mldeploy.config.text import is_unicode, printable
from mldeploy.config.trusted import repository_key
from mldeploy.core.git import run_git
from mldeploy.project.errors import ProjectError

FETCH_TIMEOUT = 600
"""What a fetch may take."""

_URL = re.compile(r"(https?|ssh|git|file)://\S+", re.IGNORECASE)
_SCP = re.compile(r"(?P<user>[\w.-]+)@(?P<host>[\w.-]+):(?P<path>\S+)")
_HOST = re.compile(r"\w[\w.-]*|[0-9a-f:.]+(%\w+)?", re.IGNORECASE)
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.IGNORECASE)
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_PROTOCOLS = frozenset({"file", "https", "ssh"})
_LONGEST_REF = 250
_LONGEST_URL = 2000
_LONGEST_NAME = 60
_CORRECT = "Write -C https://host/repository.git#ref:folder."
_NO_FILTERS = "* -filter -diff -merge -working-tree-encoding\n"
"""Above every .gitattributes: no program of the user's git configuration works on files that nobody has trusted."""


@dataclass(frozen=True)
class ProjectUrl:
    """Where a project is. url: the repository's. ref: a branch, tag or commit, "" for the default. folder: in it.

    Written as Docker writes it: `https://host/repository.git#ref:folder`.
    https://docs.docker.com/build/concepts/context/#url-fragments
    """

    url: str
    ref: str = ""
    folder: str = ""

    @classmethod
    def of(cls, text: str) -> Self | None:
        """None for what is no address, but the name of a folder.

        Raises ProjectError for an address with a password, and for one that git could read as something else: an
        option, a transport program, another host.
        """
        url, _, fragment = text.partition("#")
        if not (_URL.fullmatch(url) or _SCP.fullmatch(url)):
            _refuse_transport(url)
            return None
        if not is_unicode(text) or not text.isprintable() or len(url) > _LONGEST_URL:
            raise _refusal("has characters that no address has, or is too long")
        _check_url(url)
        ref, _, folder = fragment.partition(":")
        _check_ref(ref)
        _check_folder(folder)
        return cls(url, ref, folder.strip("/"))

    @property
    def name(self) -> str:
        """What a clone of it is usually called: never a name that means another folder."""
        last = re.split(r"[/:]", self.url.rstrip("/"))[-1].removesuffix(".git")
        return re.sub(r"[^\w.-]", "-", last).lstrip(".-")[:_LONGEST_NAME] or "repository"

    @property
    def protocols(self) -> frozenset[str]:
        """What git may fetch with. The user's own `insteadOf` may turn https into ssh; a server cannot.

        Neither http nor git is among them, since whoever is on the way could replace the code; http to this machine
        passes nobody.
        """
        return _PROTOCOLS | ({"http"} if self.url.lower().startswith("http://") else set())


def _refusal(what: str, todo: str = _CORRECT) -> ProjectError:
    return ProjectError("-C", f"the repository's address {what}", todo)


def _refuse_transport(text: str) -> None:
    """Git would run a program for `ext::sh -c …`, and ssh would read `-oProxyCommand=…@host:x` as an option."""
    if re.match(r"[A-Za-z][\w+.-]*::|-.*[@:]|[\w.-]*@-", text):
        raise _refusal("begins with a transport or an option", "Use https, ssh or file.")
    if re.match(r"(https?|ssh|git|file)://", text, re.IGNORECASE):
        raise _refusal("is not complete, or has a space in it")


def _check_url(url: str) -> None:
    if not _URL.fullmatch(url):
        match = _SCP.fullmatch(url)
        if match is None or any(part.startswith("-") for part in match.group("user", "host", "path")):
            raise _refusal("has a user, host or path that begins with '-'")
        return
    parts, host, port = _split_url(url)
    if _has_credentials(parts):
        todo = "Leave it out: git asks its credential helper (`git help credentials`), or use an SSH key."
        raise _refusal("holds credentials, which others could read here", todo)
    if parts.scheme == "file":
        if parts.netloc or not parts.path.startswith("/"):
            raise _refusal("names no absolute path", "Write file:///path/to/repository.")
        return
    if not _HOST.fullmatch(host) or (parts.username or "").startswith("-") or "%" in (parts.username or ""):
        raise _refusal("has no valid host or user")
    if "\\" in url or port == 0:
        raise _refusal("has a port or character that no address has")
    if parts.scheme == "git" or (parts.scheme == "http" and host not in _LOOPBACK):
        todo = "Use https or ssh."
        raise _refusal(f"uses {parts.scheme}, which lets anybody on the way replace the code", todo)


def _split_url(url: str) -> tuple[SplitResult, str, int | None]:
    try:
        parts = urlsplit(url)
        return parts, parts.hostname or "", parts.port
    except ValueError as error:
        raise ProjectError("-C", f"is no address of a repository: {error}", "Correct it.") from error


def _has_credentials(parts: SplitResult) -> bool:
    """The user of an SSH address is none, and that of an HTTP one may well be a token."""
    return bool(parts.password or (parts.username and parts.scheme in {"http", "https"}))


def _check_ref(ref: str) -> None:
    """What git's own check would let through, and a command would read as something else than a ref."""
    if ref.startswith(("-", "+", "^")) or len(ref) > _LONGEST_REF or "@{" in ref:
        raise _refusal(f"has a ref that git does not take: {printable(ref[:80])}", _REF)


_REF = "Name a branch, a tag or a full commit hash after the #."


def _check_folder(folder: str) -> None:
    parts = [part.rstrip(". ").lower() for part in re.split(r"[/\\]", folder)]
    if any(part in {".git", "git~1"} or part.startswith(".git:") for part in parts):
        raise _refusal("names a folder in .git, which is git's own", "Name a folder of the project after the colon.")


def check_out(address: ProjectUrl, cache: Path, *, trusted: bool = False) -> Path:
    """The project's folder as it is there now, in a clone below `cache`; local changes to the clone are lost.

    trusted: the user trusts this repository, so its links may lead out of it, and the user's git filters (LFS) run.
    May be repeated; another command that does the same is waited for. Raises ProjectError: there is no git, no such
    repository, ref or folder, git may not read it, or a link leads out of it.
    """
    _require_valid_ref(address)
    key = repository_key(address.url)
    clone = cache / key / address.name
    try:
        with _locked(cache, key):
            _update(address, clone, trusted=trusted)
            folder = _folder_in(address, clone)
            if not trusted:
                _refuse_outside_links(address, clone)
    except OSError as error:
        raise ProjectError(str(clone), f"cannot be written to ({error.strerror})", "Check the disk.") from error
    return folder


def _require_valid_ref(address: ProjectUrl) -> None:
    """Before anything is made. https://git-scm.com/docs/git-check-ref-format"""
    ref = address.ref
    if not ref or ref == "HEAD" or _COMMIT.fullmatch(ref):
        return
    _check_ref(ref)
    full = ref if ref.startswith("refs/") else f"refs/heads/{ref}"
    if _run(address, "check-ref-format", full).returncode:
        raise _refusal(f"has a ref that git does not take: {printable(ref)}", _REF)


def _folder_in(address: ProjectUrl, clone: Path) -> Path:
    todo = "Correct what stands after the colon."
    folder = clone.joinpath(*PurePosixPath(address.folder).parts)
    try:
        real, root = folder.resolve(), clone.resolve()
        inside = real.is_relative_to(root) and ".git" not in real.relative_to(root).parts
        if inside and folder.is_dir():
            return folder
    except (OSError, RuntimeError, ValueError):  # a name that is too long, a loop of links
        pass
    raise ProjectError(address.url, f"has no folder {address.folder!r}", todo)


def _refuse_outside_links(address: ProjectUrl, clone: Path) -> None:
    """A link could make a file of this machine part of the project."""
    root = clone.resolve()
    for parent, folders, files in os.walk(clone):
        if Path(parent) == clone:
            folders.remove(".git")
        for name in (*folders, *files):
            link = Path(parent, name)
            if link.is_symlink() and not _stays_inside(link, root):
                where = printable(str(link.relative_to(clone)).encode("utf-8", "backslashreplace").decode())
                what = f"its link {where} leads out of the repository, to files of this machine"
                raise ProjectError(address.url, what, "Use --trust if you trust this repository.")


def _stays_inside(link: Path, root: Path) -> bool:
    """Whether a link leads to something of the repository; one that leads in circles leads nowhere."""
    try:
        real = link.resolve()
    except (OSError, RuntimeError):
        return True
    return real.is_relative_to(root) and ".git" not in real.relative_to(root).parts


@contextmanager
def _locked(cache: Path, key: str) -> Iterator[None]:
    """The lock is beside the clone's folder: no repository can have its name."""
    (cache / key).mkdir(parents=True, exist_ok=True)
    cache.chmod(0o700)
    with (cache / f"{key}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _update(address: ProjectUrl, clone: Path, *, trusted: bool) -> None:
    _git(address, "init", "--quiet", "--template=", "--end-of-options", str(clone))
    _git(address, "config", "remote.origin.url", address.url, folder=clone)
    _set_attributes(clone, "" if trusted else _NO_FILTERS)
    _git(
        address, "fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules",
        "--end-of-options", address.url, address.ref or "HEAD", folder=clone,
    )  # fmt: skip
    _git(address, "checkout", "--quiet", "--force", "--detach", "--no-recurse-submodules", "FETCH_HEAD", folder=clone)
    _git(address, "clean", "--quiet", "-ffdx", folder=clone)


def _set_attributes(clone: Path, text: str) -> None:
    """Attributes that are above those of the repository. Where they change, every file is checked out anew."""
    file = clone / ".git" / "info" / "attributes"
    if file.exists() and file.read_text() == text:
        return
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    (clone / ".git" / "index").unlink(missing_ok=True)


def _git(address: ProjectUrl, *words: str, folder: Path | None = None) -> None:
    done = _run(address, *words, folder=folder)
    if done.returncode:
        lines = [line.removeprefix("fatal: ") for line in done.stderr.splitlines() if line.strip()]
        what = f"git cannot fetch it: {printable(lines[0]) if lines else f'code {done.returncode}'}"
        todo = "`git ls-remote` with that address shows whether git can read it, and which refs it has."
        raise ProjectError(address.url, what, todo)


def _run(address: ProjectUrl, *words: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    try:
        return run_git(*words, folder=folder, seconds=FETCH_TIMEOUT, protocols=address.protocols)
    except FileNotFoundError as error:
        todo = "Install git, or name a folder."
        raise ProjectError("git", "is not installed, and the project is in a git repository", todo) from error
    except subprocess.TimeoutExpired as error:
        raise ProjectError(address.url, f"was not fetched within {FETCH_TIMEOUT} s", "Check the network.") from error
