"""The files of a folder, listed and read so that no folder, however strange, can hang or fill the machine."""

from __future__ import annotations

import os
import posixpath
import stat
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from mldeploy.core.decoding import decode_text
from mldeploy.core.files import SAFE_FLAGS
from mldeploy.project.errors import ProjectError

MAX_FILES = 20_000
MAX_DEPTH = 32
TEXT_LIMIT = 1 << 20
"""Bytes of a text file that are read; no source, lock or configuration file that a person wrote comes near it."""

SKIPPED = frozenset({
    ".git", ".hg", ".svn", "__pycache__", "node_modules", ".ipynb_checkpoints", ".tox", ".nox", ".eggs", ".direnv",
    ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", ".cache", ".idea", ".vscode", ".dvc",
    "site-packages",
})  # fmt: skip
"""Folders that hold nothing of the app, whatever is in them."""


@dataclass(frozen=True)
class TreeFile:
    """A regular file below the folder. path: with forward slashes. size: bytes."""

    path: str
    size: int

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def folder(self) -> str:
        """The path of its folder, "" for the root."""
        return self.path.rpartition("/")[0]

    @cached_property
    def suffix(self) -> str:
        """In lower case, with its dot; "" if there is none."""
        return os.path.splitext(self.name)[1].lower()  # noqa: PTH122 - ten thousand times: a Path is ten times slower


@dataclass(frozen=True)
class Tree:
    """A folder's regular files, sorted by path, without what is never part of an app (SKIPPED, virtual environments).

    outside: symbolic links that lead out of the folder; they are never followed. unreadable: folders that may not be
    read. truncated: there were more than MAX_FILES files or MAX_DEPTH levels, and the rest was not looked at.
    base: the folder of the list that is being read, "" for the root: what the list names is beside it.
    """

    root: Path
    files: tuple[TreeFile, ...]
    outside: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    truncated: bool = False
    base: str = ""

    @cached_property
    def by_path(self) -> dict[str, TreeFile]:
        return {file.path: file for file in self.files}

    def get(self, path: str) -> TreeFile | None:
        """The file at a path below the folder, or None."""
        return self.by_path.get(path)

    def at(self, folder: str) -> Tree:
        """The same tree, for reading a list in a folder of it."""
        return self if folder == self.base else replace(self, base=folder)

    def beside(self, name: str) -> TreeFile | None:
        """The file that a list in `base` means by a path, or None."""
        return self.get(posixpath.normpath(posixpath.join(self.base, name)))

    def first(self, *paths: str) -> TreeFile | None:
        """The first of these paths that is a file, or None."""
        return next((file for path in paths if (file := self.get(path))), None)

    def named(self, *names: str) -> tuple[TreeFile, ...]:
        """Every file with one of these names, those nearest to the root first."""
        files = [file for file in self.files if file.name in names]
        return tuple(sorted(files, key=lambda file: (file.path.count("/"), names.index(file.name), file.path)))

    def ending(self, *suffixes: str) -> tuple[TreeFile, ...]:
        """Every file with one of these suffixes (lower case, with the dot)."""
        return tuple(file for file in self.files if file.suffix in suffixes)

    def open(self, file: TreeFile) -> BinaryIO:
        """Open for reading; the caller closes it. Raises OSError. Never waits for a writer."""
        handle = os.open(f"{self.root}/{file.path}", os.O_RDONLY | SAFE_FLAGS)
        if not stat.S_ISREG(os.fstat(handle).st_mode):  # replaced since it was listed
            os.close(handle)
            raise OSError("not a regular file")
        return os.fdopen(handle, "rb")

    def data(self, file: TreeFile, limit: int = TEXT_LIMIT) -> bytes:
        """The first `limit` bytes; empty if the file cannot be read."""
        try:
            with self.open(file) as handle:
                return handle.read(limit)
        except OSError:
            return b""

    def text(self, file: TreeFile) -> str:
        """The text up to TEXT_LIMIT, without a byte order mark, in whatever encoding it is."""
        return decode_text(self.data(file))

    def lines(self, file: TreeFile) -> list[str]:
        """The lines of the text, without their ends. Only CR, LF and CRLF end a line, as in an editor."""
        return self.text(file).replace("\r\n", "\n").replace("\r", "\n").split("\n")


def scan_folder(folder: Path) -> Tree:
    """List a folder. Raises ProjectError if it is not a folder or cannot be read."""
    try:
        root = Path(os.path.realpath(folder))
        os.scandir(root).close()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ProjectError(str(folder), f"cannot be read as a folder: {reason.lower()}", "Name a folder.") from error
    return _FolderScan(root).run()


def list_folder(root: Path, folder: str) -> Tree:
    """The files of one folder below `root` alone, for who reads a file whose path is known."""
    base = Path(os.path.realpath(root))
    try:
        with os.scandir(base / folder) as entries:
            files = [
                TreeFile(posixpath.join(folder, each.name), each.stat().st_size) for each in entries if each.is_file()
            ]
    except (OSError, ValueError):
        files = []
    return Tree(base, tuple(sorted((each for each in files if _is_text(each.path)), key=lambda file: file.path)))


class _FolderScan:
    """One walk, breadth first: when the limit is reached, what lies deepest is what was left out."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: list[TreeFile] = []
        self.outside: list[str] = []
        self.unreadable: list[str] = []
        self.environments: list[str] = []
        self.truncated = False

    def run(self) -> Tree:
        level = [""]
        for _ in range(MAX_DEPTH):
            level = [below for folder in level for below in self._folder(folder)]
        self.truncated |= bool(level)
        self.files.sort(key=lambda file: file.path)
        sorted_lists = (tuple(sorted(each)) for each in (self.outside, self.unreadable, self.environments))
        outside, unreadable, environments = sorted_lists
        return Tree(self.root, tuple(self.files), outside, unreadable, environments, self.truncated)

    def _folder(self, folder: str) -> list[str]:
        """List one folder; returns the folders in it that are to be listed too."""
        if self.truncated:
            return []
        try:
            with os.scandir(self.root / folder) as entries:
                children = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            self.unreadable.append(folder)
            return []
        if folder and any(entry.name in {"pyvenv.cfg", "conda-meta"} for entry in children):
            self.environments.append(folder)
            return []
        return [path for entry in children if (path := self._entry(folder, entry))]

    def _entry(self, folder: str, entry: os.DirEntry[str]) -> str | None:
        path = f"{folder}/{entry.name}" if folder else entry.name
        if not _is_text(path):
            return None
        try:
            if entry.is_dir(follow_symlinks=False):
                return None if entry.name in SKIPPED else path
            if entry.is_symlink() and not self._stays_inside(path):
                self.outside.append(path)
            elif entry.is_file():
                self._add(TreeFile(path, entry.stat().st_size))
        except OSError:
            self.unreadable.append(path)
        return None

    def _stays_inside(self, path: str) -> bool:
        return Path(os.path.realpath(self.root / path)).is_relative_to(self.root)

    def _add(self, file: TreeFile) -> None:
        if len(self.files) < MAX_FILES:
            self.files.append(file)
        else:
            self.truncated = True


def _is_text(path: str) -> bool:
    """Whether a name can be printed and written to a file: a file system takes any bytes."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return path.isprintable()
