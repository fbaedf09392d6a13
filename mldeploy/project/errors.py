"""What can be wrong in a project folder."""

from __future__ import annotations

from mldeploy.core.errors import ExitCode, MldeployError


class ProjectError(MldeployError):
    """A file of the project is missing, cannot be read, or is not what the configuration says."""

    code = ExitCode.PROJECT
