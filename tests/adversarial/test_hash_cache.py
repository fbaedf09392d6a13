"""What has been hashed is not read again, and what has changed is: the cache may be stale, damaged or not writable."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mldeploy.image.context import digest
from mldeploy.image.files import list_files
from mldeploy.image.hash_cache import NAME, hash_cache
from mldeploy.project.ignore import Ignore


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the cache is."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "mldeploy" / NAME


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "app.py").write_text("one")
    settle(folder / "app.py")
    return folder


def settle(path: Path) -> None:
    """Wait until a change is old enough to be remembered: the kernel alone sets a file's ctime."""
    while time.time() - path.stat().st_ctime < 2.1:
        time.sleep(0.1)


def digest_of(folder: Path) -> str:
    return digest(list_files(folder, Ignore(())))


def known(cache: Path) -> list[tuple[object, ...]]:
    with sqlite3.connect(cache) as connection:
        return connection.execute("SELECT * FROM hashes").fetchall()


def test_a_hash_is_remembered_and_used(folder: Path, cache: Path) -> None:
    digest_of(folder)
    assert len(known(cache)) == 1
    (file,) = list_files(folder, Ignore(()))
    with hash_cache() as hashes:
        remembered = hashes.get(file.stamp)
    assert remembered == "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("keep_mtime", [False, True])
def test_a_change_of_the_same_length_is_seen(folder: Path, *, keep_mtime: bool) -> None:
    file = folder / "app.py"
    before, times = digest_of(folder), file.stat()
    file.write_text("two")
    if keep_mtime:
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert digest_of(folder) != before


def test_a_file_that_was_just_changed_is_not_remembered(folder: Path, cache: Path) -> None:
    (file,) = list_files(folder, Ignore(()))
    changed = file.stamp[-1] / 1e9
    for age, count in ((1.9, 0), (2.1, 1)):
        with hash_cache(clock=lambda age=age: changed + age) as hashes:  # type: ignore[misc]
            hashes.put(file.stamp, "0" * 64)
        assert len(known(cache)) == count


def test_a_file_from_the_future_is_not_remembered(folder: Path, cache: Path) -> None:
    os.utime(folder / "app.py", (time.time() + 3600, time.time() + 3600))
    settle(folder / "app.py")
    digest_of(folder)
    assert known(cache) == []


DAMAGES: dict[str, Callable[[Path], object]] = {
    "garbage": lambda path: path.write_bytes(b"garbage" * 1000),
    "empty": lambda path: path.write_bytes(b""),
    "fifo": os.mkfifo,
    "folder": Path.mkdir,
    "zero": lambda path: path.symlink_to("/dev/zero"),
    "another table": lambda path: sqlite3.connect(path).execute("CREATE TABLE hashes (a)"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_cache_is_no_cache(folder: Path, cache: Path, damage: str) -> None:
    right = digest_of(folder)
    cache.unlink()
    DAMAGES[damage](cache)
    assert digest_of(folder) == right


def test_a_wrong_entry_is_not_believed(folder: Path, cache: Path) -> None:
    right = digest_of(folder)
    with sqlite3.connect(cache) as connection:
        connection.execute("UPDATE hashes SET sha256 = 'no hash'")
    assert digest_of(folder) == right


def test_a_cache_folder_that_is_a_file_harms_nothing(folder: Path, cache: Path) -> None:
    cache.parent.parent.mkdir()
    cache.parent.write_text("")
    assert digest_of(folder)


def test_what_is_ignored_is_not_looked_at(tmp_path: Path) -> None:
    """A thousand pipes in ignored folders, and in a folder whose content is ignored, are passed over."""
    for name in ("data", "logs"):
        (tmp_path / name).mkdir()
        for number in range(500):
            os.mkfifo(tmp_path / name / f"{number}.csv")
    (tmp_path / "app.py").write_text("")
    ignore = Ignore.of(["data", "logs/*"])
    assert [file.path for file in list_files(tmp_path, ignore)] == ["app.py", "logs"]
    again = Ignore.of(["data", "!data/kept.csv"])
    (tmp_path / "data" / "kept.csv").write_text("")
    assert "data/kept.csv" in [file.path for file in list_files(tmp_path, again)]
