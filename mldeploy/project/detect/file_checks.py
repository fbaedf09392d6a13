"""Checks of the files in the folder: heavy data, and files that cannot be parsed."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from typing import Final

from mldeploy.project.detect.documents import toml_problem
from mldeploy.project.detect.findings import Remark, Severity, Source
from mldeploy.project.detect.tree import TEXT_LIMIT, Tree, TreeFile
from mldeploy.project.errors import ProjectError
from mldeploy.project.golden import load_golden

LARGE: Final = 1_000_000
"""Bytes of one file, or of one folder's data or notebooks together, from which they are worth a remark."""

_NOTEBOOKS: Final = frozenset({".ipynb"})
_DATA: Final = frozenset({
    ".csv", ".tsv", ".parquet", ".feather", ".arrow", ".xlsx", ".xls", ".jsonl", ".ndjson", ".npy", ".npz", ".zip",
    ".gz", ".tar", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".db", ".sqlite", ".sqlite3", ".avro", ".orc", ".mat",
    ".rds", ".rdata", ".sas7bdat", ".dta", ".mp4", ".mov", ".avi", ".wav", ".mp3", ".tfrecord", ".tfrecords", ".log",
    ".dump", ".sql", ".iso", ".whl",
})  # fmt: skip


def find_bulk_data(tree: Tree, ships: Callable[[str], bool], used: Callable[[str], bool]) -> Iterator[Remark]:
    """Yield a remark for heavy notebooks and data in each folder. used: the app's source names the file."""
    for kind, suffixes in (("notebooks", _NOTEBOOKS), ("data", _DATA)):
        for folder, files in _by_folder(tree, suffixes).items():
            heavy = [file for file in files if ships(file.path) and not used(file.path)]
            size = sum(file.size for file in heavy)
            if size >= LARGE:
                yield _bulk_remark(kind, folder, heavy, size)


def check_dockerignore(tree: Tree) -> Iterator[Remark]:
    """A `.dockerignore` in UTF-16, as PowerShell's `>` writes one: Docker finds no pattern in it."""
    file = tree.get(".dockerignore")
    if file and tree.data(file, 2) in {b"\xff\xfe", b"\xfe\xff"}:
        what = "is UTF-16 text, in which Docker finds no pattern: it excludes nothing"
        yield Remark("ignore-encoding", Severity.ERROR, Source(file.path), what, "Save it as UTF-8.")


def _by_folder(tree: Tree, suffixes: Collection[str]) -> dict[str, list[TreeFile]]:
    """Files of a kind, by the first folder on their path; those at the top by themselves."""
    groups: dict[str, list[TreeFile]] = {}
    for file in tree.ending(*suffixes):
        top, slash, _ = file.path.partition("/")
        groups.setdefault(f"{top}/" if slash else file.path, []).append(file)
    return groups


def _bulk_remark(kind: str, folder: str, files: list[TreeFile], size: int) -> Remark:
    largest = max(files, key=lambda file: file.size)
    many = f" in {len(files)} files, the largest {largest.path}" if len(files) > 1 else ""
    what = f"holds {format_size(size)} of {kind}{many}, which would be copied into the image"
    todo = f"If the app does not read it, add `{folder if len(files) > 1 else largest.path}` to .dockerignore."
    return Remark(f"bulk-{kind}", Severity.WARNING, Source(folder.rstrip("/")), what, todo)


def format_size(size: int) -> str:
    """Bytes as people read them: "48 MB", "1.2 GB", "3.4 kB"."""
    for unit, factor in (("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1000)):
        if size >= factor:
            value = size / factor
            return f"{value:.1f} {unit}" if value < 10 else f"{value:.0f} {unit}"
    return f"{size} bytes"


_TOML_FILES = ("pyproject.toml", "uv.lock", "poetry.lock", "Pipfile")
_GOLDEN = "golden.json"


def find_unreadable_files(tree: Tree) -> Iterator[Remark]:
    """Yield a warning for each invalid file at the top of the folder; an error for an invalid golden row."""
    for file in filter(None, map(tree.get, _TOML_FILES)):
        problem = toml_problem(tree.text(file)) if file.size <= TEXT_LIMIT else ""
        if problem:
            line = re.search(r"line (\d+)", problem)
            what = f"is no valid TOML, so nothing in it counts: {problem}"
            source = Source(file.path, int(line[1]) if line else 0)
            yield Remark("unreadable", Severity.WARNING, source, what, "Correct it.")
    if tree.get(_GOLDEN):
        yield from _check_golden(tree)


def _check_golden(tree: Tree) -> Iterator[Remark]:
    path = tree.root / _GOLDEN
    try:
        load_golden(path)
    except ProjectError as error:
        part = error.where.removeprefix(str(path)).removeprefix(": ")
        yield Remark("golden-unusable", Severity.ERROR, Source(_GOLDEN), f"{part} {error.what}".strip(), error.todo)
