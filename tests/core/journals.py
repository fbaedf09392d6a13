"""One scope, its things, and its journal."""

from __future__ import annotations

from pathlib import Path

from mldeploy.core.journal import Journal, Scope
from mldeploy.core.step import Key, Resource

SCOPE = Scope("insurance", "simulated", ("earth",))
COMMAND = "mldeploy deploy"


def thing(name: str) -> Resource:
    return Resource("cluster", Key(name, ("insurance",)))


def opened(folder: Path) -> Journal:
    return Journal(folder, SCOPE, COMMAND)


def file_of(folder: Path, *entries: Resource) -> Path:
    """A journal that lists these entries, as a finished command leaves it."""
    with opened(folder) as journal:
        for entry in entries:
            journal.begin(entry)
    return SCOPE.file(folder)
