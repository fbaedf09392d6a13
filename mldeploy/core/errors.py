"""Errors for users: where, what, what to do, and a stable exit code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import ClassVar, TypeVar


class ExitCode(IntEnum):
    """The exit codes of every command. They are part of the interface: a number never changes its meaning."""

    OK = 0
    FAILED = 1
    USAGE = 2
    CONFIG = 3
    PROJECT = 4
    ENGINE = 5
    BUILD = 6
    REMOTE = 7
    LOCKED = 8
    REFUSED = 9
    LEFTOVERS = 10
    STATE = 11
    ACCESS = 12
    INTERNAL = 70
    INTERRUPTED = 130

    @property
    def meaning(self) -> str:
        """One sentence for the manual."""
        return _MEANINGS[self]


_MEANINGS = {
    ExitCode.OK: "Done.",
    ExitCode.FAILED: "The deployment failed, `doctor` or `check` reported an error, or `diff` found too few rows that "
    "agree. After a failed deployment, or a canary that was aborted at a limit, the verdict gives the reason. A "
    "previous version is kept or restored; a message says so if it does not serve.",
    ExitCode.USAGE: "The command line is wrong: an unknown command, flag or target, or a confirmation was missing.",
    ExitCode.CONFIG: "A configuration file is wrong: TOML syntax, an unknown key, a value of the wrong type.",
    ExitCode.PROJECT: "The project folder is wrong: a file is missing or cannot be read.",
    ExitCode.ENGINE: "The Docker Engine is not reachable, its socket is not accessible, or its disk is full.",
    ExitCode.BUILD: "The image build failed.",
    ExitCode.REMOTE: "A cloud, a registry or the deployed app returned an error or an unexpected response.",
    ExitCode.LOCKED: "Another command is running for the same app and target.",
    ExitCode.REFUSED: "Refused: it would change a resource that mldeploy did not create, or replace a protected one.",
    ExitCode.LEFTOVERS: "Some resources could not be removed. The message lists them.",
    ExitCode.STATE: "The journal or the lock cannot be read or written.",
    ExitCode.ACCESS: "Cloud credentials are missing, invalid or expired, or lack a permission: the message names it.",
    ExitCode.INTERNAL: "A bug in mldeploy. The message names the log file with the traceback.",
    ExitCode.INTERRUPTED: "Interrupted with Ctrl-C. `deploy` resumes; `destroy` removes the created resources.",
}


class MldeployError(Exception):
    """An error that a user can understand and act on.

    `where` is a location (a file and key, a step, a resource), `what` the fact, `todo` the remedy.
    None of them may carry a secret.
    """

    code: ClassVar[ExitCode] = ExitCode.FAILED

    def __init__(self, where: str, what: str, todo: str = "") -> None:
        super().__init__(where, what, todo)
        self.where = where
        self.what = what
        self.todo = todo

    @property
    def exit_code(self) -> ExitCode:
        return self.code

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" + (f"\n{self.todo}" if self.todo else "")


ErrorT = TypeVar("ErrorT", bound=Exception)


@contextmanager
def translate_exceptions(
    caught: type[ErrorT] | tuple[type[ErrorT], ...], translate: Callable[[ErrorT], MldeployError]
) -> Iterator[None]:
    """Translate exceptions of an SDK that are raised in the block; each is the cause of what is raised instead.

    Every provider has a context manager of its own that calls this with its SDK's classes: `aws_errors`,
    `azure_errors`, `gcp_errors`, `kubernetes_errors`, `hub_errors`, and `engine_errors` for the Docker Engine.
    """
    try:
        yield
    except caught as error:
        raise translate(error) from error


class StateError(MldeployError):
    """The journal or the lock cannot be read or written."""

    code = ExitCode.STATE


class LockedError(MldeployError):
    """Another command holds the lock of this app and target."""

    code = ExitCode.LOCKED


class RefusedError(MldeployError):
    """The requested operation would change a protected resource or file."""

    code = ExitCode.REFUSED


class LeftoversError(MldeployError):
    """A removal ended, and some resources still exist."""

    code = ExitCode.LEFTOVERS


class CredentialsError(MldeployError):
    """The credentials for a platform are missing, wrong or expired. Base of each provider's own error."""

    code = ExitCode.ACCESS


class DeniedError(MldeployError):
    """The credentials lack a permission, which the error names. Base of each provider's own error."""

    code = ExitCode.ACCESS


class QuotaError(MldeployError):
    """A quota of the account does not suffice. Base of each provider's own error."""

    code = ExitCode.REMOTE


class NotFoundError(MldeployError):
    """A resource does not exist on the platform. Base of each provider's own error."""

    code = ExitCode.REMOTE


class InterruptedByUser(MldeployError):  # noqa: N818 - it is what the user did, not a fault
    """The user requested a stop; the journal lists the started resources."""

    code = ExitCode.INTERRUPTED
