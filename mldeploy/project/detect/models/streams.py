"""Byte streams of files that may be compressed, read so that no file can make the reader large or slow."""

from __future__ import annotations

import bz2
import lzma
import os
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol

BUDGET = 64 << 20
"""Bytes that are read, after decompression, before a stream is given up."""

_CHUNK = 1 << 16
_LZMA_MEMORY = 128 << 20
_LONGEST_LINE = 8 << 20


class BudgetError(Exception):
    """More would have to be read than is sensible."""


class ByteStream(Protocol):
    """What a reader of pickles needs. Short reads mean the end."""

    def read(self, size: int, /) -> bytes: ...

    def readline(self) -> bytes: ...

    def skip(self, size: int) -> None:
        """Pass over bytes. Raises BudgetError, EOFError."""

    def is_cut(self) -> bool:
        """Whether the reader came to the end of a file that is cut off there."""


class PlainStream:
    """A file as it is, for a pickle: one that is complete ends with a full stop. What is skipped costs nothing."""

    def __init__(self, handle: BinaryIO, budget: int = BUDGET) -> None:
        self._handle = handle
        self._left = budget
        self._size = os.fstat(handle.fileno()).st_size
        self._ended = False

    def read(self, size: int, /) -> bytes:
        if size > self._left:
            raise BudgetError
        self._left -= size
        data = self._handle.read(size)
        self._ended = self._ended or len(data) < size
        return data

    def readline(self) -> bytes:
        line = self._handle.readline(_LONGEST_LINE)
        self._ended = self._ended or not line
        self._left -= len(line)
        if self._left < 0:
            raise BudgetError
        return line

    def skip(self, size: int) -> None:
        if self._handle.tell() + size > self._size:
            self._ended = True
            raise EOFError
        self._handle.seek(size, os.SEEK_CUR)

    def is_cut(self) -> bool:
        if not self._ended or not self._size:
            return False
        self._handle.seek(-1, os.SEEK_END)
        return self._handle.read(1) != b"."


class DecompressedStream:
    """The decompressed content of a file. Skipping costs as much as reading, and never more memory than a block.

    is_whole: whether what was decompressed came to its own end.
    """

    def __init__(
        self, chunks: Iterator[bytes], budget: int = BUDGET, is_whole: Callable[[], bool] = lambda: True
    ) -> None:
        self._chunks, self._is_whole = chunks, is_whole
        self._ended = False
        self._held = b""
        self._left = budget

    def read(self, size: int, /) -> bytes:
        parts = []
        while size > 0 and (self._held or self._fill()):
            part, self._held = self._held[:size], self._held[size:]
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def readline(self) -> bytes:
        while b"\n" not in self._held and len(self._held) < _LONGEST_LINE:
            held, self._held = self._held, b""
            if not self._fill():
                self._held = held
                break
            self._held = held + self._held
        return self.read(min(self._held.find(b"\n") + 1 or len(self._held), _LONGEST_LINE))

    def skip(self, size: int) -> None:
        while size > 0:
            if not self._held and not self._fill():
                raise EOFError
            passed = min(size, len(self._held))
            self._held = self._held[passed:]
            size -= passed

    def _fill(self) -> bool:
        self._held = next((chunk for chunk in self._chunks if chunk), b"")
        self._left -= len(self._held)
        if self._left < 0:
            raise BudgetError
        self._ended = not self._held
        return bool(self._held)

    def is_cut(self) -> bool:
        return self._ended and not self._is_whole()


def open_stream(handle: BinaryIO) -> ByteStream | None:
    """The content of a file, whatever the usual libraries compressed it with; None for a compression we cannot undo.

    Reading may raise zlib.error, OSError, lzma.LZMAError and EOFError, as the standard library does.
    """
    head = handle.read(6)
    handle.seek(0)
    if head.startswith(b"\x1f\x8b") or (head[:1] == b"\x78" and head[1:2] in {b"\x01", b"\x5e", b"\x9c", b"\xda"}):
        inflater = zlib.decompressobj(wbits=32 + zlib.MAX_WBITS)
        return DecompressedStream(_inflated(handle, inflater), is_whole=lambda: inflater.eof)
    unpacker: bz2.BZ2Decompressor | lzma.LZMADecompressor | None = None
    if head.startswith(b"BZh"):
        unpacker = bz2.BZ2Decompressor()
    if head.startswith((b"\xfd7zXZ\x00", b"\x5d\x00\x00")):
        unpacker = lzma.LZMADecompressor(memlimit=_LZMA_MEMORY)
    if unpacker is not None:
        whole = unpacker
        return DecompressedStream(_unpacked(handle, whole), is_whole=lambda: whole.eof)
    if head.startswith((b"\x04\x22\x4d\x18", b"\x28\xb5\x2f\xfd")):  # LZ4 and Zstandard
        return None
    return PlainStream(handle)


def _inflated(handle: BinaryIO, unpacker: zlib._Decompress) -> Iterator[bytes]:
    """zlib or gzip, identified by their headers (https://zlib.net/manual.html, inflateInit2)."""
    data = handle.read(_CHUNK)
    while data and not unpacker.eof:
        yield unpacker.decompress(data, _CHUNK)
        data = unpacker.unconsumed_tail or handle.read(_CHUNK)


def _unpacked(handle: BinaryIO, unpacker: bz2.BZ2Decompressor | lzma.LZMADecompressor) -> Iterator[bytes]:
    while not unpacker.eof:
        data = handle.read(_CHUNK) if unpacker.needs_input else b""
        if unpacker.needs_input and not data:
            return
        yield unpacker.decompress(data, _CHUNK)
