"""What is wrong with a version of an app that was tried."""

from __future__ import annotations

from mldeploy.core.errors import ExitCode, MldeployError
from mldeploy.image.running.causes import Diagnosis


class VerdictError(MldeployError):
    """A version of the app that is not let in, and why.

    cause: one sentence. about: what it is about. exit_status: what its process ended with, if it ended. log: its last
    lines, without newlines.
    """

    code = ExitCode.FAILED

    def __init__(
        self, where: str, found: Diagnosis, *, exit_status: int | None = None, log: tuple[str, ...] = ()
    ) -> None:
        shown = "\n".join(("", "Its last lines:", *(f"  {line}" for line in log))) if log else ""
        super().__init__(where, found.cause + shown, found.todo)
        self.cause = found.cause
        self.about = found.about
        self.exit_status = exit_status
        self.log = log
