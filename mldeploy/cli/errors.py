"""Errors of the command line, and the conversion of any exception to an error report with an exit code."""

from __future__ import annotations

import difflib
import errno
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from mldeploy.core.errors import ExitCode, MldeployError

if TYPE_CHECKING:
    from mldeploy.ui.documents import ErrorDetails

EXTRA_ARGUMENTS = re.compile(r"Got unexpected extra argument(?:s|\(s\))? \((.*)\)")
EXTRAS = {
    "azure": "azure",
    "boto3": "aws",
    "botocore": "aws",
    "cyclonedx": "sbom",
    "google": "gcp",
    "grpc": "gcp",
    "kubernetes": "kubernetes",
    "kubernetes_validate": "rehearsal",
    "moto": "rehearsal",
    "packageurl": "sbom",
    "trustme": "rehearsal",
    "websocket": "kubernetes",
    "werkzeug": "rehearsal",
    "wsproto": "rehearsal",
}
"""The extra of mldeploy that installs a package."""
REPORT = "This is a bug in mldeploy. Please report it with the traceback."


class UsageError(MldeployError):
    """The command line is wrong, or a required confirmation is missing."""

    code = ExitCode.USAGE


@dataclass(frozen=True)
class ErrorReport:
    """An error as text, with its exit code."""

    code: ExitCode
    where: str
    what: str
    todo: str

    def details(self, log: str | None) -> ErrorDetails:
        """Return the error for `--json`. log: the file with the traceback."""
        from mldeploy.ui.documents import ErrorDetails  # noqa: PLC0415 - not needed for `--help`

        return ErrorDetails(
            code=int(self.code), name=self.code.name, where=self.where, what=self.what, todo=self.todo, log=log
        )


def report_of(error: BaseException) -> ErrorReport:
    """Describe an exception that ended a command."""
    if isinstance(error, MldeployError):
        if error.exit_code is ExitCode.INTERNAL:
            return ErrorReport(ExitCode.INTERNAL, error.where, f"internal error: {_all_failures(error)}", REPORT)
        return ErrorReport(error.exit_code, error.where, _all_failures(error), error.todo)
    if isinstance(error, typer.TyperException):
        return _describe_usage_error(error)
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return ErrorReport(ExitCode.INTERRUPTED, "mldeploy", "interrupted", "")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ErrorReport(
            ExitCode.STATE, error.filename or "disk", "the disk is full", "Free some space and try again."
        )
    return _missing_extra(error) or ErrorReport(ExitCode.INTERNAL, "mldeploy", f"internal error: {error!r}", REPORT)


def _missing_extra(error: BaseException) -> ErrorReport | None:
    """Return the command that installs a package of an extra, if that is what is missing."""
    if not isinstance(error, ModuleNotFoundError):
        return None
    package = (error.name or "").partition(".")[0]
    if package not in EXTRAS:
        from mldeploy.providers.registry import explain_missing_package  # noqa: PLC0415 - not needed for `--help`

        of_plugin = explain_missing_package(error)
        return report_of(of_plugin) if of_plugin else None
    what = f"the packages for this command are not installed ({package} is missing)"
    return ErrorReport(ExitCode.USAGE, "mldeploy", what, f"Run `pip install 'mldeploy[{EXTRAS[package]}]'`.")


def _all_failures(error: MldeployError) -> str:
    """Return the text of the first failure and of those that occurred at the same time."""
    from mldeploy.core.verbs import DeploymentFailedError  # noqa: PLC0415 - not needed for `--help`

    others = error.failures[1:] if isinstance(error, DeploymentFailedError) else ()
    return "\n".join((error.what, *(f"Also: {title}: {_describe_other(error, other)}" for title, other in others)))


def _describe_other(first: MldeployError, other: Exception) -> str:
    """Describe a further failure; a remedy that equals that of the first one is not repeated."""
    if isinstance(other, MldeployError) and other.todo == first.todo:
        return f"{other.where}: {other.what}"
    return str(other) or repr(other)


def _describe_usage_error(error: typer.TyperException) -> ErrorReport:
    context: typer.Context | None = getattr(error, "ctx", None)
    where = context.command_path if context else "mldeploy"
    message = " ".join(_usage_message(error).split()).rstrip(".")
    todo = f"Run `{where} --help` for the usage."
    message = message.replace(". Did you mean", "; did you mean").replace(". Choose from:", ": choose from")
    option: str | None = getattr(error, "option_name", None)
    if option and context and message.startswith("No such option"):
        known = [name for parameter in context.command.params for name in (*parameter.opts, *parameter.secondary_opts)]
        known += context.help_option_names
        near = difflib.get_close_matches(option, known, n=1)
        message = f"no such option: {option}" + (f"; did you mean {near[0]}?" if near else "")
    return ErrorReport(ExitCode.USAGE, where, message[:1].lower() + message[1:], todo)


def _usage_message(error: typer.TyperException) -> str:
    """Return the message of Typer, with a sentence of ours instead of Pydantic's for a value of a wrong type."""
    message = error.format_message()
    if extra := EXTRA_ARGUMENTS.fullmatch(message.rstrip(".")):
        return f"unexpected argument: {extra[1]}"
    details = getattr(error.__cause__, "errors", None)
    if not isinstance(error, typer.BadParameter) or details is None:
        return message
    return message.replace(error.message, _describe_value(details()[0]))


def _describe_value(detail: Mapping[str, Any]) -> str:
    """Describe a value that Pydantic rejects."""
    value, limits = detail["input"], detail.get("ctx", {})
    match detail["type"]:
        case "int_parsing" | "int_from_float" | "int_type":
            return f"{value!r} is not an integer"
        case "float_parsing":
            return f"{value!r} is not a number"
        case "greater_than_equal":
            return f"{value} is less than {limits['ge']}"
        case "less_than_equal":
            return f"{value} is greater than {limits['le']}"
        case _:
            return str(detail["msg"]).removeprefix("Value error, ")
