"""What a killed command leaves is removed, and nothing else is."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mldeploy.core.scratch import OWNER, leftovers, private_file, replace_file, scratch_folder, sweep

CHILD = """
import sys
from pathlib import Path
from mldeploy.core.scratch import scratch_folder
with scratch_folder(Path(sys.argv[1])) as folder:
    (folder / "kept").write_text("password")
    print(folder, flush=True)
    sys.stdin.read()
"""


@contextmanager
def command(parent: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A process that holds a folder."""
    with subprocess.Popen(
        (sys.executable, "-c", CHILD, str(parent)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process, Path(process.stdout.readline().strip())


def test_a_folder_outlives_its_process_until_the_next_sweep(tmp_path: Path) -> None:
    with command(tmp_path) as (process, folder):
        assert sweep(tmp_path) == ()
        assert (folder / "kept").exists()
        process.kill()
    assert sweep(tmp_path) == (folder,)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_goes_with_its_block(tmp_path: Path) -> None:
    with scratch_folder(tmp_path) as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        assert leftovers(tmp_path) == ()
    assert list(tmp_path.iterdir()) == []


def test_what_only_looks_like_ours_stays(tmp_path: Path) -> None:
    others = tmp_path / "others"
    others.mkdir()
    (others / OWNER).touch()
    (others / "precious").touch()
    place = tmp_path / "tmp"
    place.mkdir()
    (place / "mldeploy-link0001").symlink_to(others)
    (place / "mldeploy-file0001").write_text("a file")
    (place / "mldeploy-project").mkdir()
    odd = place / "mldeploy-odd00001"
    odd.mkdir()
    (odd / OWNER).symlink_to(others / OWNER)
    fifo = place / "mldeploy-fifo0001"
    fifo.mkdir()
    os.mkfifo(fifo / OWNER)
    assert sweep(place) == ()
    assert (others / "precious").exists()


def test_a_link_in_a_dead_folder_is_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").touch()
    place = tmp_path / "tmp"
    dead = place / "mldeploy-dead0001"
    dead.mkdir(parents=True)
    (dead / OWNER).touch()
    (dead / "link").symlink_to(precious)
    assert sweep(place) == (dead,)
    assert (precious / "file").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's files")
def test_another_users_folder_stays(tmp_path: Path) -> None:
    foreign = tmp_path / "mldeploy-foreign1"
    foreign.mkdir()
    (foreign / OWNER).touch()
    os.chown(foreign, 65534, 65534)
    assert sweep(tmp_path) == ()


def test_an_old_folder_without_an_owner_goes_and_a_new_one_stays(tmp_path: Path) -> None:
    old, new = tmp_path / "mldeploy-abcdefgh", tmp_path / "mldeploy-hgfedcba"
    for each in (old, new):
        each.mkdir(mode=0o700)
    os.utime(old, (0, 0))
    assert sweep(tmp_path) == (old,)
    assert new.exists()


def test_a_private_file_can_be_read_by_a_child_and_is_on_no_disk() -> None:
    with private_file(b"password") as path:
        assert subprocess.check_output(("cat", path)) == b"password"
        assert path.startswith("/proc/")
    assert not Path(path).exists()


def test_a_file_is_replaced_at_once_and_a_dead_draft_goes(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text("old")
    (tmp_path / ".config.json.mldeploy-dead0001").write_text("a password")
    replace_file(path, "new")
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["config.json"]
