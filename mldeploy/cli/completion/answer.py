"""The answer to a shell that asks for completions. It never prints an error: the user has not run a command."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

from mldeploy.cli.completion.candidates import find_completions
from mldeploy.cli.completion.shells import PROTOCOLS, Answer, ShellProtocol

VARIABLE = "_MLDEPLOY_COMPLETE"
"""`complete_bash`, set by a shell that asks."""
SECONDS = 10.0
"""After this time the process ends without an answer, whatever it waits for."""


def requested_protocol() -> ShellProtocol | None:
    """Return the protocol of the shell that asks for completions, None if none does."""
    action, _, shell = os.environ.get(VARIABLE, "").partition("_")
    return PROTOCOLS.get(shell) if action == "complete" else None


def answer_shell(protocol: ShellProtocol) -> int:
    """Write the completions to standard output and return the exit code. Raises nothing.

    Ends the process after SECONDS.
    """
    watchdog = threading.Timer(SECONDS, os._exit, (0,))
    watchdog.daemon = True
    watchdog.start()
    try:
        answer = _find_answer(protocol)
    finally:
        watchdog.cancel()
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.write(f"{answer.text}\n" if answer.text else "")
        sys.stdout.flush()
    return answer.code


def _find_answer(protocol: ShellProtocol) -> Answer:
    try:
        with _silenced():
            line = protocol.read(os.environ)
            return protocol.write(line, find_completions(line), os.environ)
    except (Exception, SystemExit, KeyboardInterrupt):  # noqa: BLE001 - see above
        return Answer("")


@contextlib.contextmanager
def _silenced() -> Iterator[None]:
    """Discard what libraries, packages of targets and child processes write meanwhile."""
    sys.stderr.flush()
    standard_error = os.dup(2)
    with Path(os.devnull).open("w", encoding="utf-8") as nothing, warnings.catch_warnings():
        os.dup2(nothing.fileno(), 2)
        warnings.simplefilter("ignore")
        logging.disable()
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(nothing):
                yield
        finally:
            logging.disable(logging.NOTSET)
            os.dup2(standard_error, 2)
            os.close(standard_error)
