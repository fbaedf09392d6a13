"""Megabytes that the app does not need, and that would land in the image."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Final

from mldeploy.project.detect.findings import Remark, Severity, Source
from mldeploy.project.detect.tree import File, Tree

LARGE: Final = 1_000_000
"""Bytes of one file, or of one folder's data or notebooks together, from which they are worth a remark."""

_NOTEBOOKS: Final = frozenset({".ipynb"})
_DATA: Final = frozenset({
    ".csv", ".tsv", ".parquet", ".feather", ".arrow", ".xlsx", ".xls", ".jsonl", ".ndjson", ".npy", ".npz", ".zip",
    ".gz", ".tar", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".db", ".sqlite", ".sqlite3", ".avro", ".orc", ".mat",
    ".rds", ".rdata", ".sas7bdat", ".dta", ".mp4", ".mov", ".avi", ".wav", ".mp3", ".tfrecord", ".tfrecords", ".log",
    ".dump", ".sql", ".iso", ".whl",
})  # fmt: skip


def bulk(tree: Tree, ships: Callable[[str], bool], used: Callable[[str], bool]) -> Iterator[Remark]:
    """A remark for each folder's heavy notebooks and data. used: the app's source names the file, so it stays."""
    for kind, suffixes in (("notebooks", _NOTEBOOKS), ("data", _DATA)):
        for folder, files in _by_folder(tree, suffixes).items():
            heavy = [file for file in files if ships(file.path) and not used(file.path)]
            size = sum(file.size for file in heavy)
            if size >= LARGE:
                yield _remark(kind, folder, heavy, size)


def _by_folder(tree: Tree, suffixes: Collection[str]) -> dict[str, list[File]]:
    """Files of a kind, by the first folder on their path; those at the top by themselves."""
    found: dict[str, list[File]] = {}
    for file in tree.ending(*suffixes):
        top, slash, _ = file.path.partition("/")
        found.setdefault(f"{top}/" if slash else file.path, []).append(file)
    return found


def _remark(kind: str, folder: str, files: list[File], size: int) -> Remark:
    largest = max(files, key=lambda file: file.size)
    many = f" in {len(files)} files, the largest {largest.path}" if len(files) > 1 else ""
    what = f"holds {megabytes(size)} of {kind}{many}, which would land in the image"
    todo = f"If the app does not read it, add `{folder if len(files) > 1 else largest.path}` to .dockerignore."
    return Remark(f"bulk-{kind}", Severity.WARNING, Source(folder.rstrip("/")), what, todo)


def megabytes(size: int) -> str:
    """Bytes as people read them: "48 MB", "1.2 GB", "3.4 kB"."""
    for unit, factor in (("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1000)):
        if size >= factor:
            value = size / factor
            return f"{value:.1f} {unit}" if value < 10 else f"{value:.0f} {unit}"
    return f"{size} bytes"
