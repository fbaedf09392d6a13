"""Which of the folder's files get into the image."""

from __future__ import annotations

from pathlib import Path

from mldeploy.project.errors import unreadable
from mldeploy.project.ignore import NAME, Ignore

USUALLY_IGNORED = (
    *("**/.git", "**/.hg", "**/.svn", "**/.venv", "**/venv", "**/node_modules", "**/.mldeploy"),
    *("**/__pycache__", "**/*.pyc", "**/.ipynb_checkpoints", "**/.DS_Store"),
    *("**/.mypy_cache", "**/.pytest_cache", "**/.ruff_cache", "**/.hypothesis", "**/.tox", "**/.nox"),
    *("**/.env", "**/.env.*", "**/*.env"),
)
"""What stays out of the image of a configured project without a `.dockerignore`; so do its virtual environments."""


def own_ignore(folder: Path) -> Ignore | None:
    """The folder's `.dockerignore`, None if there is none. Raises ProjectError."""
    source = folder / NAME
    try:
        return Ignore.parse(source.read_text(encoding="utf-8", errors="surrogateescape"), str(source))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unreadable(source, error) from error


class Ships:
    """Whether a file gets into the image, asked by its path."""

    def __init__(self, ignore: Ignore) -> None:
        self._ignore = ignore

    def __call__(self, path: str) -> bool:
        matches: tuple[bool, ...] = ()
        excluded = False
        parts = path.split("/")
        for depth in range(1, len(parts) + 1):
            excluded, matches = self._ignore.judge("/".join(parts[:depth]), matches)
        return not excluded
