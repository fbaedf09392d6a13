"""Runs a command line, and turns any exception into a message, an exit code and a traceback in the log file."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
from collections.abc import Iterator, Sequence

import typer

from mldeploy.cli.app import build_group
from mldeploy.cli.run import CommandState
from mldeploy.core.errors import ExitCode
from mldeploy.core.redaction import forget_all
from mldeploy.core.threads import JOIN_SECONDS, join_threads
from mldeploy.ui.output import Output, OutputMode, StdoutError

PROGRAM = "mldeploy"
COMPLETION = "_MLDEPLOY_COMPLETE"


class CheckedStdout(io.TextIOWrapper):
    """Standard output whose errors are StdoutError, whoever writes: the help is printed by Typer and Rich."""

    def write(self, text: str, /) -> int:
        try:
            return super().write(text)
        except OSError as error:
            raise StdoutError(error) from error

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            raise StdoutError(error) from error


def main(arguments: Sequence[str] | None = None, join_seconds: float = JOIN_SECONDS) -> int:
    """Run one command line (without the program's name) in the main thread and return its exit code. Raises nothing.

    May be repeated in one process: the streams and the hook for threads are as before afterwards. The command's threads
    have ended, unless one is stuck for `join_seconds` (`join_threads`).
    """
    threads = threading.enumerate()
    words = sys.argv[1:] if arguments is None else list(arguments)
    forget_all()
    _prepare_streams()
    hook, threading.excepthook = threading.excepthook, _log_thread_error
    try:
        if os.environ.get(COMPLETION):
            from mldeploy.cli.completion.answer import answer_shell, requested_protocol  # noqa: PLC0415 - as it says

            if protocol := requested_protocol():
                return answer_shell(protocol)
        with _checked_stdout():
            return _run_reported(words)
    finally:
        join_threads(threads, join_seconds)
        threading.excepthook = hook


def _run_reported(words: list[str]) -> int:
    guess = _guess_mode(words)
    state = CommandState(Output.standard(guess), guess)
    try:
        code = _run(words, state)
        sys.stdout.flush()
        return code
    except StdoutError as error:
        return _report_stdout_error(error)
    except SystemExit as error:  # shell completion, which Typer ends itself
        return _exit_code(error)
    except (KeyboardInterrupt, Exception) as error:  # noqa: BLE001 - the one handler
        return _report(error, state)


def _prepare_streams() -> None:
    """Replace closed streams by the null device, and escape what the locale cannot encode."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            stream = os.fdopen(os.open(os.devnull, os.O_RDWR), mode)
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)  # a reference: without one it would be closed when it is replaced
        elif mode == "w" and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextlib.contextmanager
def _checked_stdout() -> Iterator[None]:
    """Let sys.stdout be a CheckedStdout meanwhile."""
    stream = sys.stdout
    if not isinstance(stream, io.TextIOWrapper):
        yield
        return
    stream.flush()
    checked = CheckedStdout(
        stream.buffer, encoding=stream.encoding, errors="backslashreplace", line_buffering=stream.line_buffering
    )
    sys.stdout = checked
    try:
        yield
    finally:
        sys.stdout = stream
        with contextlib.suppress(StdoutError, ValueError):
            checked.detach()  # it shares the buffer, and would close it at its own end


def _run(words: list[str], state: CommandState) -> int:
    group = build_group()
    if os.environ.get(COMPLETION):  # PowerShell's
        group.main(prog_name=PROGRAM)
    text = io.StringIO()
    try:
        # With `--json`, text that a library prints must not be added to the document.
        diverted = contextlib.redirect_stdout(text) if state.output.mode.json else contextlib.nullcontext()
        with diverted, group.make_context(PROGRAM, words, obj=state) as context:
            group.invoke(context)
    except typer.Exit as leave:
        code = leave.exit_code
    else:
        code = ExitCode.OK
    if printed := text.getvalue():
        from mldeploy.ui.documents import TextDocument  # noqa: PLC0415 - only with `--json`

        state.output.result(TextDocument(printed), lambda page: page.line(printed))
    return code


def _guess_mode(words: Sequence[str]) -> OutputMode:
    """Return the output mode of a command line that is not parsed yet, and may never be."""
    flags = words[: words.index("--")] if "--" in words else words
    return OutputMode(
        json="--json" in flags, verbose="--verbose" in flags or "-v" in flags, color="--no-color" not in flags
    )


def _exit_code(error: SystemExit) -> int:
    """Return the code of a SystemExit; a text is an error message, as Python itself treats it."""
    if error.code is None or isinstance(error.code, int):
        return error.code or ExitCode.OK
    sys.stderr.write(f"{error.code}\n")
    return ExitCode.FAILED


def _report(error: BaseException, state: CommandState) -> int:
    from mldeploy.cli.errors import report_of  # noqa: PLC0415 - only for an error
    from mldeploy.cli.log import record  # noqa: PLC0415

    report = report_of(error)
    log = record(error, state.command)
    shows_log = state.output.mode.verbose or report.code is ExitCode.INTERNAL
    try:
        state.output.error(report.details(str(log) if log and shows_log else None))
    except StdoutError as unwritable:
        return _report_stdout_error(unwritable) or report.code
    return report.code


def _log_thread_error(caught: threading.ExceptHookArgs) -> None:
    """Write the error that ended a thread to the log file: Python would print it to the terminal unfiltered."""
    from mldeploy.cli.log import record  # noqa: PLC0415 - only for an error

    if caught.exc_value is not None:
        record(caught.exc_value, f"thread {caught.thread.name if caught.thread else ''}")


def _report_stdout_error(error: StdoutError) -> int:
    """A reader that closed the pipe is no error; any other reason is."""
    with contextlib.suppress(OSError, ValueError):  # or Python would write again at exit, and complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error.reason, BrokenPipeError):
        return ExitCode.OK
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"error: standard output: cannot be written ({error.reason.strerror})\n")
    return ExitCode.FAILED
