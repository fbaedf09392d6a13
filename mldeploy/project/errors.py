"""What can be wrong in a project folder."""

from __future__ import annotations

from pathlib import Path

from mldeploy.core.errors import ExitCode, MldeployError


class ProjectError(MldeployError):
    """A file of the project is missing, cannot be read, or is not what the configuration says."""

    code = ExitCode.PROJECT


def unreadable(source: Path, error: OSError) -> ProjectError:
    """A file that the image needs and that cannot be read."""
    todo = "Correct its permissions, or keep it out of the image with a line in .dockerignore."
    return ProjectError(printable_path(source), f"cannot be read ({error.strerror})", todo)


def printable_path(path: Path) -> str:
    """A path whose bytes may be no text."""
    return str(path).encode("utf-8", "backslashreplace").decode()
