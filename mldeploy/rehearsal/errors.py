"""What can stand between a user and a rehearsal."""

from __future__ import annotations

from mldeploy.core.errors import ExitCode, MldeployError


class RehearsalError(MldeployError):
    """A rehearsal cannot be started, or does not answer."""

    code = ExitCode.REMOTE
