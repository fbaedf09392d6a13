"""Streams of the engine that never end by themselves, and how to leave them."""

from __future__ import annotations

import contextlib

from docker.errors import DockerException
from docker.types.daemon import CancellableStream


def wake(stream: CancellableStream[object]) -> None:
    """End a stream that another thread reads: that thread then sees its end. Over SSH the SDK cannot do that."""
    with contextlib.suppress(DockerException, OSError, AttributeError):  # the last if it has just ended by itself
        stream.close()


def close(stream: CancellableStream[object]) -> None:
    """End a stream that nobody reads, and give its connection back."""
    wake(stream)
    # The SDK shuts the socket down, but leaves open the file through which it was read.
    with contextlib.suppress(OSError):
        stream._response.close()  # type: ignore[attr-defined]  # noqa: SLF001 - there is no public way
