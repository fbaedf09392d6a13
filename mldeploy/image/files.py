"""The files of a folder that may get into an image."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

from mldeploy.project.errors import ProjectError, printable_path, unreadable
from mldeploy.project.ignore import Ignore, Matches

CHUNK = 1 << 20


class Sort(StrEnum):
    """What stands at a path. Sockets, pipes and devices are not for images."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"


@dataclass(frozen=True)
class File:
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
    def at(cls, source: Path, path: str) -> File | None:
        """None if what stands there is not for images. Raises OSError."""
        found = source.lstat()
        executable = 0o755 if found.st_mode & stat.S_IXUSR else 0o644
        if stat.S_ISREG(found.st_mode):
            return cls(path, Sort.FILE, source, executable, found.st_size, stamp=_stamp(found))
        if stat.S_ISDIR(found.st_mode):
            return cls.folder(path, source)
        if stat.S_ISLNK(found.st_mode):
            return cls(path, Sort.LINK, source, 0o777, target=str(source.readlink()))
        return None

    @classmethod
    def folder(cls, path: str, source: Path = Path()) -> File:
        """A folder; `source` is where it was found, if it was found anywhere."""
        return cls(path, Sort.FOLDER, source, 0o755)

    def chunks(self) -> Iterator[bytes]:
        """A file's content, exactly `size` bytes. Raises ProjectError if it cannot be read, or is not what it was."""
        if self.sort is not Sort.FILE:
            return
        try:
            with self.source.open("rb", buffering=0) as file:
                if _stamp(os.fstat(file.fileno())) != self.stamp:
                    raise changed(self)
                left = self.size
                while left and (chunk := file.read(min(left, CHUNK))):
                    yield chunk
                    left -= len(chunk)
                if left or _stamp(os.fstat(file.fileno())) != self.stamp:
                    raise changed(self)
        except FileNotFoundError as error:
            raise changed(self) from error
        except OSError as error:
            raise unreadable(self.source, error) from error

    def digest(self) -> str:
        """SHA-256 of everything about it that an image can hold."""
        return _digest(self)


@lru_cache(maxsize=65536)  # a probe and the build after it ask for the same files; the stamp tells whether they are
def _digest(file: File) -> str:
    content = hashlib.sha256()
    for chunk in file.chunks():
        content.update(chunk)
    about = (file.path, file.sort.value, oct(file.mode), file.target, content.hexdigest())
    return hashlib.sha256("\0".join(about).encode("utf-8", "surrogateescape")).hexdigest()


def _stamp(found: os.stat_result) -> tuple[int, ...]:
    """The time of the last change (ctime) is among them, since no program can set it back."""
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def listing(folder: Path, ignore: Ignore) -> tuple[File, ...]:
    """What a folder holds and `.dockerignore` does not exclude, parents before children, each folder's in byte order.

    Links are not followed. Raises ProjectError if a folder or a link in it cannot be read.
    """
    return tuple(_walk(folder, "", ignore, ()))


def _walk(folder: Path, prefix: str, ignore: Ignore, parent: Matches) -> Iterator[File]:
    try:
        names = sorted(os.listdir(folder), key=os.fsencode)  # noqa: PTH208 - names alone, at a third of the time
    except OSError as error:
        raise unreadable(folder, error) from error
    for name in names:
        path = prefix + name
        excluded, matches = ignore.judge(path, parent)
        file = _at(folder / name, path)
        if file is None:
            continue
        if not excluded:
            yield file
        if file.sort is Sort.FOLDER and (not excluded or ignore.may_take_back_below(path)):
            yield from _walk(file.source, f"{path}/", ignore, matches)


def _at(source: Path, path: str) -> File | None:
    try:
        return File.at(source, path)
    except FileNotFoundError:  # it went while we looked, as an editor's temporary file does
        return None
    except OSError as error:
        raise unreadable(source, error) from error


def changed(file: File) -> ProjectError:
    """A file that another program writes while we read it."""
    todo = "Try again once nothing writes to it, or keep it out of the image with a line in .dockerignore."
    return ProjectError(printable_path(file.source), "changed while it was being read", todo)
