"""The files in an app's state folder that hold results of containers and choices. A lost one is no error."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from mldeploy.config.paths import state_folder
from mldeploy.core.errors import StateError
from mldeploy.core.files import STATE_LIMIT, read_bytes
from mldeploy.core.parsing import parse_json
from mldeploy.core.scratch import remove_file, replace_file

KEPT = 8
"""Results per app and file: enough for two platforms and some branches."""


def result_file(app: str, name: str) -> Path:
    """Return the path of a result file of an app. It may not exist."""
    return state_folder() / app / name


def read_results(file: Path) -> object:
    """Return the content; None if there is none that can be read."""
    try:
        return parse_json(read_bytes(file, limit=STATE_LIMIT))
    except (OSError, ValueError):
        return None


def write_results(file: Path, results: object) -> None:
    """Replace the content, which JSON can hold. Raises StateError."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, json.dumps(results))
    except OSError as error:
        raise StateError(str(file), f"cannot be written ({error.strerror})", "Free the disk.") from error


def remove_results(file: Path) -> bool:
    """Remove the file; True if there was one. Raises StateError."""
    try:
        removed = remove_file(file)
    except OSError as error:
        raise StateError(str(file), f"cannot be removed ({error.strerror})", "Correct its permissions.") from error
    with contextlib.suppress(OSError):  # it still holds a journal, or does not exist
        file.parent.rmdir()
    return removed
