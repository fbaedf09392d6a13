"""The log file: a traceback for each command that failed, and with `--verbose` what the rooms note on their way.

No secret that is known is written to it, be it in the text of an error, of one of its causes, or of a record; and
nothing that a terminal would obey, since it is read on one.
"""

from __future__ import annotations

import contextlib
import logging
import os
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from mldeploy import __version__
from mldeploy.config.paths import log_file
from mldeploy.core.errors import ExitCode, MldeployError
from mldeploy.core.verbs import DeploymentFailedError
from mldeploy.ui.text import message

LIMIT = 1_000_000
"""Bytes; a log that has grown beyond that is begun anew."""


class RedactingFormatter(logging.Formatter):
    """Filters a record as a whole: its message, its arguments, its traceback."""

    def format(self, record: logging.LogRecord) -> str:
        return message(super().format(record))


def listen(*, verbose: bool) -> None:
    """Keep what is logged off the terminal. With `verbose` our own records go to the log file."""
    logging.lastResort = None
    if verbose and not logging.getLogger("mldeploy").handlers:
        with contextlib.suppress(OSError, MldeployError):
            handler = logging.StreamHandler(_opened(log_file()))
            handler.setFormatter(RedactingFormatter())
            logging.getLogger("mldeploy").addHandler(handler)
            logging.getLogger("mldeploy").setLevel(logging.INFO)


def record(error: BaseException, command: str) -> Path | None:
    """Append the traceback; the file's path, or None if it is not worth one or could not be written."""
    if isinstance(error, MldeployError) and error.exit_code in (ExitCode.USAGE, ExitCode.INTERRUPTED):
        return None
    with contextlib.suppress(OSError, MldeployError):
        path = log_file()
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with _opened(path) as log:
            log.write(message("".join((f"\n{now} mldeploy {__version__} {command}\n", *_tracebacks(error)))))
        return path
    return None


def _opened(path: Path) -> TextIO:
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = os.O_TRUNC if path.exists() and path.stat().st_size > LIMIT else os.O_APPEND
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | mode, 0o600)
    return os.fdopen(file, "w", encoding="utf-8", errors="backslashreplace")


def _tracebacks(error: BaseException) -> Iterator[str]:
    yield from traceback.format_exception(error)
    if isinstance(error, DeploymentFailedError):
        for title, failure in error.failures:
            yield f"\n{title}:\n"
            yield from traceback.format_exception(failure)
