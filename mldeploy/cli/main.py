"""The entry point: runs a command, and turns whatever it raises into words, an exit code, and a line in the log."""

from __future__ import annotations

import contextlib
import io
import os
import select
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Never

import typer

from mldeploy.cli.app import build_app
from mldeploy.cli.run import Front
from mldeploy.core.errors import ExitCode
from mldeploy.ui.output import Manner, Output, UnheardError

PROGRAM = "mldeploy"
COMPLETION = "_MLDEPLOY_COMPLETE"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (without the program's name) in the main thread and return its exit code. Raises nothing."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    _mend_streams()
    guess = _guessed_manner(words)
    front = Front(Output.standard(guess), guess)
    try:
        signal.signal(signal.SIGTERM, _interrupt)
        return _run(words, front)
    except UnheardError as error:
        return _unheard(error)
    except (BrokenPipeError, SystemExit) as error:
        return _unheard(UnheardError(BrokenPipeError())) if _is_unheard(error) else _failed(error, front)
    except (KeyboardInterrupt, Exception) as error:  # noqa: BLE001 - the one handler
        return _failed(error, front)


def _mend_streams() -> None:
    """A stream that was closed before we began is a null device; what a locale cannot write must not end a command."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))
        elif mode == "w" and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _run(words: list[str], front: Front) -> int:
    app = build_app()
    if COMPLETION in os.environ:
        app(prog_name=PROGRAM)
    command = typer.main.get_command(app)
    stray = io.StringIO()
    try:
        # What a library prints must not stand before or after the one document.
        diverted = contextlib.redirect_stdout(stray) if front.output.manner.json else contextlib.nullcontext()
        with diverted, command.make_context(PROGRAM, words, obj=front) as context:
            command.invoke(context)
    except typer.Exit as leave:
        code = leave.exit_code
    else:
        code = ExitCode.OK
    if text := stray.getvalue():
        from mldeploy.ui.documents.general import TextDocument  # noqa: PLC0415 - 5 ms that only this needs

        front.output.result(TextDocument(text), lambda page: page.line(text))
    return code


def _interrupt(_number: int, _frame: FrameType | None) -> Never:
    """SIGTERM outside of a walk: the same as Ctrl-C."""
    raise KeyboardInterrupt


def _guessed_manner(words: Sequence[str]) -> Manner:
    """How to speak before the command line has been understood, and if it never is."""
    flags = words[: words.index("--")] if "--" in words else words
    return Manner(
        json="--json" in flags, verbose="--verbose" in flags or "-v" in flags, color="--no-color" not in flags
    )


def _failed(error: BaseException, front: Front) -> int:
    from mldeploy.cli.log import record  # noqa: PLC0415 - only what fails waits for it
    from mldeploy.cli.problem import problem_of  # noqa: PLC0415

    problem = problem_of(error)
    log = record(error, front.command)
    tells = front.output.manner.verbose or problem.code is ExitCode.INTERNAL
    try:
        front.output.problem(problem.document(str(log) if log and tells else None))
    except UnheardError as unheard:
        return _unheard(unheard) or problem.code
    return problem.code


def _is_unheard(error: BaseException) -> bool:
    """The help, which others print, met a stdout that nobody reads: click lets that be known, and rich leaves."""
    if isinstance(error, SystemExit):
        return isinstance(error.__context__, BrokenPipeError)
    watch = select.poll()
    watch.register(sys.stdout, 0)
    return any(event & select.POLLERR for _, event in watch.poll(0))


def _unheard(error: UnheardError) -> int:
    """Nobody reads stdout any more, which is their right; or it could not be written, which is a failure."""
    with contextlib.suppress(OSError, ValueError):  # or Python would try again at its end, and complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error.reason, BrokenPipeError):
        return ExitCode.OK
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"error: standard output: cannot be written ({error.reason.strerror})\n")
    return ExitCode.FAILED
