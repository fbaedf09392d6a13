"""What can go wrong, said so that a user can act on it: where, what, what to do, and a stable exit code."""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


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
    ExitCode.FAILED: "The deployment failed (the verdict says why; the old version, if any, answers unless it says "
    "otherwise), or the doctor or the check of an image found an error.",
    ExitCode.USAGE: "The command line is wrong: an unknown command, flag or target, or a confirmation was missing.",
    ExitCode.CONFIG: "A configuration file is wrong: TOML syntax, an unknown key, a value of the wrong type.",
    ExitCode.PROJECT: "The project folder is wrong: a file is missing or cannot be read.",
    ExitCode.ENGINE: "No Docker Engine answers, its socket is not permitted, or its disk is full.",
    ExitCode.BUILD: "The image does not build.",
    ExitCode.REMOTE: "A cloud, a registry or the deployed app did not answer as it should.",
    ExitCode.LOCKED: "Another command works on the same app and target.",
    ExitCode.REFUSED: "It would have changed something that mldeploy did not make, or replaced what must not be.",
    ExitCode.LEFTOVERS: "Something could not be removed and is still there: the message lists it.",
    ExitCode.STATE: "The journal or the lock cannot be read or written.",
    ExitCode.ACCESS: "A cloud's credentials are missing, wrong or expired, or they lack the permission that is named.",
    ExitCode.INTERNAL: "A defect in mldeploy: the traceback is in the log file that the message names.",
    ExitCode.INTERRUPTED: "Interrupted with Ctrl-C. `deploy` resumes, `destroy` removes what was made.",
}


class MldeployError(Exception):
    """An error that a user can understand and act on.

    `where` is a place (a file and key, a step, a resource), `what` the fact, `todo` the remedy.
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


class StateError(MldeployError):
    """The journal or the lock cannot be read or written."""

    code = ExitCode.STATE


class LockedError(MldeployError):
    """Another command holds the lock of this app and target."""

    code = ExitCode.LOCKED


class RefusedError(MldeployError):
    """What was asked for would touch something that must not be touched."""

    code = ExitCode.REFUSED


class LeftoversError(MldeployError):
    """A removal ended with something still there."""

    code = ExitCode.LEFTOVERS


class InterruptedByUser(MldeployError):  # noqa: N818 - it is what the user did, not a fault
    """The user asked to stop; what had been started is in the journal."""

    code = ExitCode.INTERRUPTED
