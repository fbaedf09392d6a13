"""The verdict on a version of the app that failed, and its redaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from mldeploy.app.causes import FailureDiagnosis
from mldeploy.config.settings import Project
from mldeploy.core.errors import ExitCode, MldeployError
from mldeploy.core.redaction import redact, redact_lines

SHOWN_LINES = 20


class VerdictError(MldeployError):
    """A version of the app failed its examination.

    cause: one sentence. about: its subject. exit_status: of the app's process, None if it still runs. log: the last
    lines, without newlines.
    """

    code = ExitCode.FAILED

    def __init__(
        self, where: str, diagnosis: FailureDiagnosis, *, exit_status: int | None = None, log: tuple[str, ...] = ()
    ) -> None:
        shown = "\n".join(("", "Its last lines:", *(f"  {line}" for line in log))) if log else ""
        super().__init__(where, diagnosis.cause + shown, diagnosis.todo)
        self.cause = diagnosis.cause
        self.about = diagnosis.about
        self.exit_status = exit_status
        self.log = log


def redacted_verdict(
    project: Project,
    where: str,
    diagnosis: FailureDiagnosis,
    log: Sequence[str],
    *,
    exit_status: int | None = None,
    without_log: str = "",
) -> VerdictError:
    """Return the verdict, without the values of the project's environment. The app may have logged one.

    log: the app's log; its last SHOWN_LINES are shown. without_log: what to do if the diagnosis does not say it and the
    log is empty.
    """
    lines = redact_environment_lines(log[-SHOWN_LINES:], project)
    todo = diagnosis.todo or ("See its log above." if lines or not without_log else without_log)
    redacted = replace(diagnosis, cause=redact_environment(diagnosis.cause, project), todo=todo)
    return VerdictError(where, redacted, exit_status=exit_status, log=lines)


def redact_environment(text: str, project: Project) -> str:
    """Return the text without the values of the project's environment and without any other known secret."""
    return redact(text, (value.reveal() for _, value in project.app.env if not value.is_public))


def redact_environment_lines(lines: Iterable[str], project: Project) -> tuple[str, ...]:
    """Return consecutive lines, redacted like `redact_environment`. A secret may span lines."""
    return redact_lines(lines, (value.reveal() for _, value in project.app.env if not value.is_public))
