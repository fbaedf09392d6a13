"""What can be wrong with a command line."""

from __future__ import annotations

from mldeploy.core.errors import ExitCode, MldeployError


class UsageError(MldeployError):
    """The command line asks for something that it cannot mean, or a confirmation is missing."""

    code = ExitCode.USAGE
