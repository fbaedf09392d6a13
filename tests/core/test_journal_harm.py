"""The journal: what was acknowledged is there, whatever tears, kills or fills the file."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from mldeploy.core.errors import ExitCode, LockedError, StateError
from mldeploy.core.journal import Journal, read
from mldeploy.core.step import Key, Resource
from mldeploy.core.verbs import DeploymentFailedError
from tests.core.journals import COMMAND, SCOPE, file_of, opened, thing
from tests.core.killed import HALTED
from tests.core.rivals import ROOT
from tests.core.simulated.cloud import World
from tests.core.simulated.machine import Machine
from tests.core.simulated.steps import UNIQUE

A, B, C, D = map(thing, "abcd")
SHORT = Resource("x", Key("y"))


class TestTorn:
    """A crash or a full disk tears the last line; only what ends with a newline was written."""

    def test_at_every_byte(self, tmp_path: Path) -> None:
        whole = file_of(tmp_path / "whole", A, B, C).read_bytes()
        lines = whole.splitlines(keepends=True)
        for cut in range(len(whole) + 1):
            folder = tmp_path / str(cut)
            path = SCOPE.file(folder)
            path.parent.mkdir(parents=True)
            path.write_bytes(whole[:cut])
            complete = (A, B, C)[: max(0, whole[:cut].count(b"\n") - 1)]
            assert read(folder, SCOPE) == complete, cut
            with opened(folder) as journal:
                assert journal.resources == complete, cut
                journal.begin(SHORT)
            assert read(folder, SCOPE) == (*complete, SHORT), cut
            kept = max(1, whole[:cut].count(b"\n"))
            *before, added = path.read_bytes().splitlines(keepends=True)
            assert before == lines[:kept], cut
            assert added.endswith(b"}\n"), cut


def test_killed_before_any_line_that_it_runs_it_has_kept_its_word(state: Path) -> None:
    subprocess.run([sys.executable, "-m", "tests.core.killed", str(state)], cwd=ROOT, check=True, timeout=600)
    lives = sorted(state.glob("*.told"), key=lambda path: int(path.stem))
    assert len(lives) > 100
    assert HALTED not in lives[-1].read_text()
    assert lives[-1].read_text().split("\n")[-1] == "close"
    for life in lives:
        folder, output = life.with_suffix(""), life.read_text().split("\n")
        now, then = before_and_after(output)
        assert read(folder, SCOPE) in (now, then), life
        with opened(folder) as next_one:
            assert next_one.resources in (now, then), life
            if len(output) > 1 and output[-2] in HOLDS_THE_LOCK:
                assert next_one.predecessor, life
                assert next_one.predecessor.command == COMMAND
            next_one.begin(D)
        assert read(folder, SCOPE)[-1] == D, life


CHANGES = ("begin a", "begin b", "forget a", "begin c", "forget b", "forget c")
HOLDS_THE_LOCK = {"open", "begin a", "begin b", "begin c", "forget b"}
"""After these words the next line is surely one of a holder; after the others it may be releasing the lock."""


def before_and_after(output: list[str]) -> tuple[tuple[Resource, ...], tuple[Resource, ...]]:
    """What the journal lists after the changes that were told to be done, and after the one that was perhaps begun."""
    done = sum(word in CHANGES for word in output)
    return _after(CHANGES[:done]), _after(CHANGES[: done + 1])


def _after(changes: tuple[str, ...]) -> tuple[Resource, ...]:
    listed: dict[Resource, None] = {}
    for word, name in (change.split() for change in changes):
        if word == "begin":
            listed[thing(name)] = None
        else:
            del listed[thing(name)]
    return tuple(listed)


@contextlib.contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """What a full disk does to a write: it is cut off, and the next one fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def begin_until_full(journal: Journal, entries: Iterable[Resource], why: str) -> list[Resource]:
    """Returns those that were begun. Fails if there was room for all."""
    begun: list[Resource] = []
    for entry in entries:
        try:
            journal.begin(entry)
        except StateError as full:
            assert why in full.what  # noqa: PT017 - how many go before it is what is tested
            return begun
        begun.append(entry)
    raise AssertionError("there was room for all")


class TestFullDisk:
    def test_at_every_byte(self, tmp_path: Path) -> None:
        whole = file_of(tmp_path / "whole", A, B).read_bytes()
        for size in range(len(whole)):
            folder = tmp_path / str(size)
            with opened(folder) as journal:
                with no_file_larger_than(size):
                    begun = begin_until_full(journal, (A, B), "cannot be written")
                assert journal.resources == read(folder, SCOPE) == tuple(begun), size
                left = SCOPE.file(folder).read_bytes()
                assert left == whole[: len(left)], size
                assert left == b"" or left.endswith(b"\n"), size
                journal.begin(B)
                assert read(folder, SCOPE) == (*begun, B), size

    def test_what_cannot_be_forgotten_stays(self, tmp_path: Path) -> None:
        path = file_of(tmp_path, A, B)
        with opened(tmp_path) as journal:
            with no_file_larger_than(path.stat().st_size), pytest.raises(StateError) as full:
                journal.forget(A)
            assert "Nothing was begun" not in str(full.value)
            assert journal.resources == read(tmp_path, SCOPE) == (A, B)
            journal.forget(A)
        assert read(tmp_path, SCOPE) == (B,)

    def test_a_lock_whose_note_cannot_be_written_is_held(self, tmp_path: Path) -> None:
        with no_file_larger_than(0), opened(tmp_path), pytest.raises(LockedError):
            opened(tmp_path)
        with opened(tmp_path) as journal:
            journal.begin(A)

    def test_a_destroy_needs_no_room(self, tmp_path: Path) -> None:
        machine = Machine(tmp_path, World(unique=UNIQUE))
        machine.deploy()
        with no_file_larger_than(0):
            machine.destroy()
        assert not machine.world.things()
        assert not machine.listed()

    def test_a_deploy_makes_nothing_that_it_could_not_write_down(self, tmp_path: Path) -> None:
        machine = Machine(tmp_path, World(unique=UNIQUE))
        with no_file_larger_than(400), pytest.raises(DeploymentFailedError) as failed:
            machine.deploy()
        assert failed.value.exit_code is ExitCode.STATE
        made = {(each.kind, each.name) for each in machine.world.things()}
        assert made == {(each.kind, each.key.name) for each in machine.listed()}
        machine.deploy()

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount; the file size limit stands in for it")
    def test_on_a_file_system_without_room(self, tmp_path: Path) -> None:
        disk = tmp_path / "disk"
        disk.mkdir()
        mount = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], check=False, capture_output=True
        )
        if mount.returncode:
            pytest.skip(f"no mount here: {mount.stderr.decode().strip()}")
        try:
            self._fill_and_free(disk)
        finally:
            subprocess.run(["umount", disk], check=True)

    def _fill_and_free(self, disk: Path) -> None:
        filler = disk / "filler"
        with opened(disk) as journal:
            journal.begin(A)
            with pytest.raises(OSError, match="No space left"):
                filler.write_bytes(bytes(65536))
            begun = begin_until_full(journal, (thing(str(number)) for number in range(200)), "No space left")
            assert journal.resources == read(disk, SCOPE) == (A, *begun)
            filler.unlink()
            journal.begin(B)
            assert read(disk, SCOPE) == (A, *begun, B)
