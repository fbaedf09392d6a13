"""Puts the file where GitHub looks for it, and never over something else unless that is asked for."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from mldeploy.ci.render import is_untouched
from mldeploy.core.errors import RefusedError
from mldeploy.project.errors import ProjectError
from mldeploy.project.scaffold import NewFile, write


class State(StrEnum):
    """What became of the file."""

    WRITTEN = "written"
    UNCHANGED = "unchanged"
    REPLACED = "replaced"
    PRINTED = "printed"


def put(root: Path, name: str, text: str, *, force: bool) -> State:
    """Write the file below `root`, durably and as a whole.

    Raises RefusedError if another one is there and `force` is not given, or something that is no file; ProjectError if
    it cannot be read or written.
    """
    path = root / name
    before = _before(path)
    if before == text:
        return State.UNCHANGED
    if before is not None and not force:
        raise _refusal(path, before)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what = f"cannot be made ({(error.strerror or str(error)).lower()}); nothing was written"
        raise ProjectError(str(path.parent), what, "Check its permissions and the disk.") from error
    write(path.parent, [NewFile(path.name, text, required=True)], force=force)
    return State.WRITTEN if before is None else State.REPLACED


def _before(path: Path) -> str | None:
    """What is there, or None."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        reason = (getattr(error, "strerror", "") or "it is not UTF-8 text").lower()
        raise ProjectError(str(path), f"is there and cannot be read ({reason})", "Move it away.") from error


def _refusal(path: Path, before: str) -> RefusedError:
    history = {
        True: "mldeploy wrote it, for another target, another version or another state of the folder",
        False: "mldeploy wrote it, and somebody has edited it since",
        None: "it is not of mldeploy's making",
    }
    what = f"is there already, and nothing was written: {history[is_untouched(before)]}"
    return RefusedError(str(path), what, "Say --force to write it anew, or --stdout to see what that would be.")
