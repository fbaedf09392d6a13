"""Files that tell what an app needs, and cannot be read: what stands in them would count for nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mldeploy.project.detect.documents import toml_problem
from mldeploy.project.detect.findings import Remark, Severity, Source
from mldeploy.project.detect.tree import TEXT_LIMIT, Tree
from mldeploy.project.errors import ProjectError
from mldeploy.project.golden import load_golden

_TOML = ("pyproject.toml", "uv.lock", "poetry.lock", "Pipfile")
_GOLDEN = "golden.json"


def of_tree(tree: Tree) -> Iterator[Remark]:
    """A warning for each at the top of the folder; an error for a golden row, at which every build would stop."""
    for file in filter(None, map(tree.get, _TOML)):
        said = toml_problem(tree.text(file)) if file.size <= TEXT_LIMIT else ""
        if said:
            line = re.search(r"line (\d+)", said)
            what = f"is no valid TOML, so nothing in it counts: {said}"
            source = Source(file.path, int(line[1]) if line else 0)
            yield Remark("unreadable", Severity.WARNING, source, what, "Correct it.")
    if tree.get(_GOLDEN):
        yield from _of_golden(tree)


def _of_golden(tree: Tree) -> Iterator[Remark]:
    path = tree.root / _GOLDEN
    try:
        load_golden(path)
    except ProjectError as error:
        part = error.where.removeprefix(str(path)).removeprefix(": ")
        yield Remark("golden-unusable", Severity.ERROR, Source(_GOLDEN), f"{part} {error.what}".strip(), error.todo)
