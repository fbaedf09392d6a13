"""The build context: the same bytes for the same files."""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from mldeploy.image.files import CHUNK, ContextFile, Sort
from mldeploy.image.hash_cache import hash_cache
from mldeploy.image.hash_progress import hash_progress


@dataclass(frozen=True)
class Text:
    """A generated file."""

    path: str
    content: bytes = field(repr=False)


Member = ContextFile | Text
"""A file or folder of a context, at its `path`."""


@dataclass(frozen=True)
class Context:
    """What one build is sent. dockerfile: the recipe's path in it. Members are sorted by path, each path once."""

    dockerfile: str
    members: tuple[Member, ...]

    @classmethod
    def of(cls, dockerfile: str, members: Iterable[Member]) -> Context:
        """A context of these members; of two with the same path the later one counts. Missing parents are added."""
        by_path = {member.path: member for member in members}
        for path in list(by_path):
            for parent in _parents(path):
                by_path.setdefault(parent, ContextFile.folder(parent))
        return cls(dockerfile, tuple(by_path[path] for path in sorted(by_path)))

    @property
    def size(self) -> int:
        """Bytes of content."""
        return sum(map(_size, self.members))

    def tar(self, report: Callable[[int], None] = lambda _: None) -> Iterator[bytes]:
        """The context as a tar stream, in blocks of about a mebibyte; `report` is called with the size of each block.

        Owner, times and modes are the same wherever and whenever it is made, so that equal files are equal layers.
        Raises ProjectError if a file has changed.
        """
        block = bytearray()
        for piece in self._pieces():
            block += piece
            if len(block) >= CHUNK:
                report(len(block))
                yield bytes(block)
                block.clear()
        report(len(block))
        yield bytes(block)

    def unpack(self, folder: Path, report: Callable[[int], None] = lambda _: None) -> None:
        """The context as files in a new folder; `report` is called with the size of each. Raises as `tar` does."""
        folder.mkdir()
        for member in self.members:
            path = folder / member.path
            if isinstance(member, ContextFile) and member.sort is Sort.FOLDER:
                path.mkdir()
                path.chmod(member.mode)
            elif isinstance(member, ContextFile) and member.sort is Sort.LINK:
                path.symlink_to(member.target)
            else:
                report(_write(member, path))
        for member in reversed(self.members):  # writing into a folder changes its time
            if isinstance(member, ContextFile) and member.sort is not Sort.FILE:
                os.utime(folder / member.path, (EPOCH, EPOCH), follow_symlinks=False)

    def _pieces(self) -> Iterator[bytes]:
        for member in self.members:
            if isinstance(member, ContextFile) and member.size > CHUNK:
                yield _header(member, EPOCH)
                yield from member.chunks()
                yield _padding(member.size)
            else:
                content = member.content if isinstance(member, Text) else b"".join(member.chunks())
                yield _header(member, _moment(content)) + content + _padding(len(content))
        yield bytes(2 * tarfile.BLOCKSIZE)


def _write(member: Member, path: Path) -> int:
    """Write a file as it would stand in the tar, and return its size."""
    small = isinstance(member, Text) or member.size <= CHUNK
    pieces = [member.content] if isinstance(member, Text) else member.chunks()
    with path.open("wb") as file:
        content = b""
        for piece in pieces:
            file.write(piece)
            content = piece if small else b""
    path.chmod(0o644 if isinstance(member, Text) else member.mode)
    moment = _moment(content)
    os.utime(path, (moment, moment))
    return path.stat().st_size


def digest(members: Iterable[Member]) -> str:
    """Return the SHA-256 of what the members put into an image. Raises ProjectError; CancelledError in a probe."""
    members, whole = tuple(members), hashlib.sha256()
    with hash_cache() as cache, hash_progress(sum(map(_size, members))) as progress:
        for member in members:
            one = (
                member.digest(cache) if isinstance(member, ContextFile) else hashlib.sha256(member.content).hexdigest()
            )
            progress.finish_file(_size(member))
            whole.update(f"{member.path}\0{one}\n".encode("utf-8", "surrogateescape"))
    return whole.hexdigest()


def _size(member: Member) -> int:
    return len(member.content) if isinstance(member, Text) else member.size


def below(folder: str, files: Iterable[ContextFile]) -> Iterator[ContextFile]:
    """The same files, moved below a folder of the context."""
    return (replace(file, path=f"{folder}/{file.path}") for file in files)


def _parents(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


_TYPES = {Sort.FILE: tarfile.REGTYPE, Sort.FOLDER: tarfile.DIRTYPE, Sort.LINK: tarfile.SYMTYPE}


def _header(member: Member, mtime: int) -> bytes:
    info = tarfile.TarInfo(member.path)
    info.mtime = mtime
    if isinstance(member, Text):
        info.size, info.mode = len(member.content), 0o644
    else:
        info.type, info.size, info.mode = _TYPES[member.sort], member.size, member.mode
        info.linkname = member.target
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)


EPOCH = 946_684_800  # 2000-01-01: ZIP archives, wheels among them, know no time before 1980
_SPAN = 1 << 29  # 17 years: no file is from the future


def _moment(content: bytes) -> int:
    """A time of change that hangs on the content alone.

    Web frameworks make their ETag of a static file's time and size: with one time for all, a browser would keep the
    old style sheet after an edit that leaves its size as it was.
    """
    return EPOCH + int.from_bytes(hashlib.sha256(content).digest()[:4]) % _SPAN if content else EPOCH
