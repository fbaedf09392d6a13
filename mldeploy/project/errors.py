"""Errors of the project folder."""

from __future__ import annotations

from pathlib import Path

from mldeploy.core.errors import ExitCode, MldeployError
from mldeploy.core.files import UnreadableError


class ProjectError(MldeployError):
    """A file of the project is missing, cannot be read, or is not what the configuration says."""

    code = ExitCode.PROJECT


def unreadable_error(source: Path, error: OSError) -> ProjectError:
    """The error for a file that the image needs and that cannot be read."""
    if isinstance(error, UnreadableError) and not error.what.startswith("cannot"):
        return ProjectError(
            printable_path(source), error.what, "Replace it with a regular file of usual size, or remove it."
        )
    todo = "Correct its permissions, or keep it out of the image with a line in .dockerignore."
    return ProjectError(printable_path(source), f"cannot be read ({error.strerror})", todo)


def printable_path(path: Path) -> str:
    """Return a path as printable text, even if its bytes are not UTF-8."""
    return str(path).encode("utf-8", "backslashreplace").decode()
