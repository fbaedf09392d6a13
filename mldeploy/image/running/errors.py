"""What is wrong with a version of an app that was tried."""

from __future__ import annotations

from mldeploy.core.errors import ExitCode, MldeployError


class VerdictError(MldeployError):
    """A version of the app that is not let in, and why.

    cause: one sentence. exit_status: what its process ended with, if it ended. log: its last lines, without newlines.
    """

    code = ExitCode.FAILED

    def __init__(
        self, where: str, cause: str, todo: str, *, exit_status: int | None = None, log: tuple[str, ...] = ()
    ) -> None:
        shown = "\n".join(("", "Its last lines:", *(f"  {line}" for line in log))) if log else ""
        super().__init__(where, cause + shown, todo)
        self.cause = cause
        self.exit_status = exit_status
        self.log = log
