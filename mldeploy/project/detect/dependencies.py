"""What the app needs installed: the one list that counts, out of all that a folder may hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mldeploy.project.detect import conda, locks, requirements_txt
from mldeploy.project.detect.dependency import Dependency, Listing, Origin, unique
from mldeploy.project.detect.tree import File, Tree

_LOCKS: dict[Origin, Callable[[Tree, File, locks.Environment], Listing]] = {
    Origin.UV_LOCK: locks.uv_lock,
    Origin.POETRY_LOCK: locks.poetry_lock,
    Origin.PYLOCK: locks.pylock,
    Origin.PIPFILE_LOCK: locks.pipfile_lock,
}
_TABLES: dict[Origin, Callable[[Tree, File], Iterator[Dependency]]] = {
    Origin.PYPROJECT: locks.pyproject_dependencies,
    Origin.PIPFILE: locks.pipfile_dependencies,
}


def listings(tree: Tree, environment: locks.Environment, folder: str = "") -> tuple[Listing, ...]:
    """Every list of dependencies in the folder, the one that counts first.

    A requirements file counts before a lock, since pip is what the image installs with; a lock before the file that it
    was made from. folder: where the app starts; its own requirements file counts like one at the top.
    """
    places = [name for place in dict.fromkeys((folder, "")) for name in _below(place)]
    found = [requirements_txt.listing(tree, path) for path in places if tree.get(path)][:1]
    found += [read(tree, file, environment) for origin, read in _LOCKS.items() if (file := tree.get(origin.value))]
    for origin, each in _TABLES.items():
        if file := tree.get(origin.value):
            found.append(Listing(origin, file.path, unique(each(tree, file))))
    if file := tree.first(*conda.FILES):
        found.append(conda.listing(tree, file))
    return tuple(sorted(found, key=lambda listed: not listed.says_something))


def _below(folder: str) -> Iterator[str]:
    yield from (f"{folder}/{name}" if folder else name for name in requirements_txt.USUAL)
