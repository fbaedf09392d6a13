"""Whatever was raised, as where, what, what to do, and an exit code."""

from __future__ import annotations

import difflib
import errno
from dataclasses import dataclass

import typer

from mldeploy.core.errors import ExitCode, MldeployError
from mldeploy.core.verbs import DeploymentFailedError
from mldeploy.ui.documents import general as documents

REPORT = "Please report it, with the traceback."


@dataclass(frozen=True)
class Problem:
    """An error in words."""

    code: ExitCode
    where: str
    what: str
    todo: str

    def document(self, log: str | None) -> documents.Problem:
        return documents.Problem(int(self.code), self.code.name, self.where, self.what, self.todo, log)


def problem_of(error: BaseException) -> Problem:
    """The words for an error that ended a command."""
    if isinstance(error, MldeployError):
        if error.exit_code is ExitCode.INTERNAL:
            return Problem(ExitCode.INTERNAL, error.where, f"a defect in mldeploy: {_everything(error)}", REPORT)
        return Problem(error.exit_code, error.where, _everything(error), error.todo)
    if isinstance(error, typer.TyperException):
        return _misused(error)
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return Problem(ExitCode.INTERRUPTED, "mldeploy", "stopped at your request", "")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Problem(ExitCode.STATE, error.filename or "disk", "the disk is full", "Free some space and try again.")
    return Problem(ExitCode.INTERNAL, "mldeploy", f"a defect in mldeploy: {error!r}", REPORT)


def _everything(error: MldeployError) -> str:
    """What went wrong first, and what else went wrong at the same time."""
    others = error.failures[1:] if isinstance(error, DeploymentFailedError) else ()
    return "\n".join((error.what, *(f"Also: {title}: {_besides(error, other)}" for title, other in others)))


def _besides(first: MldeployError, other: Exception) -> str:
    """An error that came with another one; what is to be done about both stands once."""
    if isinstance(other, MldeployError) and other.todo == first.todo:
        return f"{other.where}: {other.what}"
    return str(other) or repr(other)


def _misused(error: typer.TyperException) -> Problem:
    context: typer.Context | None = getattr(error, "ctx", None)
    where = context.command_path if context else "mldeploy"
    message = error.format_message().rstrip(".")
    if isinstance(error, typer.BadParameter) and error.message.startswith("Input "):
        message = message.replace(": Input ", ": it ").partition(", unable")[0]
    todo = f"`{where} --help` lists what there is."
    message = message.replace(". Did you mean", "; did you mean")
    option: str | None = getattr(error, "option_name", None)
    if option and context and message.startswith("No such option"):
        known = [name for parameter in context.command.params for name in (*parameter.opts, *parameter.secondary_opts)]
        known += context.help_option_names
        near = difflib.get_close_matches(option, known, n=1)
        message = f"no such option: {option}" + (f"; did you mean {near[0]}?" if near else "")
    return Problem(ExitCode.USAGE, where, message[:1].lower() + message[1:], todo)
