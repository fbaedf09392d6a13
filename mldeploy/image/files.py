"""The files of a folder that may be in an image."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

from mldeploy.core.files import SAFE_FLAGS, STATE_LIMIT
from mldeploy.image.hash_cache import HashCache
from mldeploy.image.hash_progress import count_hashed
from mldeploy.project.errors import ProjectError, printable_path, unreadable_error
from mldeploy.project.ignore import Ignore, Matches

CHUNK = 1 << 20


class Sort(StrEnum):
    """The type of a path. Sockets, pipes and devices are excluded."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"


@dataclass(frozen=True)
class ContextFile:
    """A path below a folder, as it was when the folder was read.

    path: relative, forward slashes, undecodable bytes as surrogates. mode: 0o755 or 0o644, whatever the umask was.
    target: where a link leads, as written. size: bytes of content. stamp: changes whenever the content does.
    """

    path: str
    sort: Sort
    source: Path
    mode: int
    size: int = 0
    target: str = ""
    stamp: tuple[int, ...] = ()

    @classmethod
    def at(cls, source: Path, path: str) -> ContextFile | None:
        """Return the file, or None if its type is excluded. Raises OSError."""
        info = source.lstat()
        executable = 0o755 if info.st_mode & stat.S_IXUSR else 0o644
        if stat.S_ISREG(info.st_mode):
            return cls(path, Sort.FILE, source, executable, info.st_size, stamp=_stamp(info))
        if stat.S_ISDIR(info.st_mode):
            return cls.folder(path, source)
        if stat.S_ISLNK(info.st_mode):
            return cls(path, Sort.LINK, source, 0o777, target=str(source.readlink()))
        return None

    @classmethod
    def folder(cls, path: str, source: Path = Path()) -> ContextFile:
        """Return a folder. source: its path on disk, if it has one."""
        return cls(path, Sort.FOLDER, source, 0o755)

    def chunks(self) -> Iterator[bytes]:
        """Yield a file's content, exactly `size` bytes. Raises ProjectError if it cannot be read or has changed."""
        if self.sort is not Sort.FILE:
            return
        try:
            with open(self.source, "rb", buffering=0, opener=_open_safely) as file:
                if _stamp(os.fstat(file.fileno())) != self.stamp:
                    raise changed_error(self)
                left = self.size
                while left and (chunk := file.read(min(left, CHUNK))):
                    yield chunk
                    left -= len(chunk)
                if left or _stamp(os.fstat(file.fileno())) != self.stamp:
                    raise changed_error(self)
        except FileNotFoundError as error:
            raise changed_error(self) from error
        except OSError as error:
            raise unreadable_error(self.source, error) from error

    def read_all(self) -> bytes:
        """Return the content of a text file, 16 MiB at most. Raises ProjectError."""
        if self.size > STATE_LIMIT:
            todo = "Name a file that holds text."
            raise ProjectError(printable_path(self.source), f"is larger than {STATE_LIMIT >> 20} MiB", todo)
        return b"".join(self.chunks())

    def digest(self, cache: HashCache) -> str:
        """Return the SHA-256 of all that an image stores of it. Cached content is not read again."""
        content = self.content_digest(cache)
        about = (self.path, self.sort.value, oct(self.mode), self.target, content)
        return hashlib.sha256("\0".join(about).encode("utf-8", "surrogateescape")).hexdigest()

    def content_digest(self, cache: HashCache) -> str:
        """Return the SHA-256 of a file's content. Cached content is not read again."""
        content = cache.get(self.stamp) if self.stamp else None
        if content is None:
            content = _hash_content(self)
            if self.stamp:
                cache.put(self.stamp, content)
        return content


@lru_cache(maxsize=65536)  # a probe and the build hash the same files; the stamp detects changes
def _hash_content(file: ContextFile) -> str:
    content = hashlib.sha256()
    for chunk in file.chunks():
        content.update(chunk)
        count_hashed(len(chunk))
    return content.hexdigest()


def _open_safely(name: str, flags: int) -> int:
    return os.open(name, flags | SAFE_FLAGS)


def _stamp(info: os.stat_result) -> tuple[int, ...]:
    """Return the stamp. It includes ctime, which programs cannot set."""
    return info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns


def list_files(folder: Path, ignore: Ignore) -> tuple[ContextFile, ...]:
    """Return the files of a folder that `.dockerignore` does not exclude, parents first, in byte order.

    Links are not followed. Raises ProjectError if a folder or a link in it cannot be read.
    """
    return tuple(_walk(folder, "", ignore, ()))


def _walk(folder: Path, prefix: str, ignore: Ignore, parent: Matches) -> Iterator[ContextFile]:
    try:
        with os.scandir(folder) as entries:
            ordered = sorted(entries, key=lambda entry: os.fsencode(entry.name))
    except OSError as error:
        raise unreadable_error(folder, error) from error
    for entry in ordered:
        path = prefix + entry.name
        excluded, matches = ignore.judge(path, parent)
        if excluded and not (entry.is_dir(follow_symlinks=False) and ignore.may_take_back_below(path)):
            continue  # skip the folder: it may hold hundreds of thousands of files
        file = _read_entry(folder / entry.name, path)
        if file is None:
            continue
        if not excluded:
            yield file
        if file.sort is Sort.FOLDER:
            yield from _walk(file.source, f"{path}/", ignore, matches)


def _read_entry(source: Path, path: str) -> ContextFile | None:
    try:
        return ContextFile.at(source, path)
    except FileNotFoundError:  # removed meanwhile, like an editor's temporary file
        return None
    except OSError as error:
        raise unreadable_error(source, error) from error


def require_inside(source: Path, folder: Path, where: str) -> None:
    """Raise ProjectError unless a path (absolute, links resolved) is below the project's folder."""
    if not source.is_relative_to(folder.resolve()):
        raise ProjectError(where, "leads out of the project folder", "Put the file itself into the folder.")


def changed_error(file: ContextFile) -> ProjectError:
    """Return the error for a file that changes while it is read."""
    todo = "Try again when no program writes to it, or exclude it in .dockerignore."
    return ProjectError(printable_path(file.source), "changed while it was being read", todo)
