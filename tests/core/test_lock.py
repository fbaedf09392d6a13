"""One holder at a time, however holders come, go, die, and take the file with them."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import pytest

from mldeploy.core import journal, lock
from mldeploy.core.errors import LockedError, StateError
from mldeploy.core.journal import read
from mldeploy.core.lock import Holder, Lock
from tests.core.halting import Halted
from tests.core.journals import SCOPE, opened, thing
from tests.core.patience import PATIENCE
from tests.core.rivals import ROOT

FILES = (str(journal.__file__), str(lock.__file__))


def a_life(folder: Path) -> None:
    """What a destroy does to the files: it comes, writes, and leaves nothing behind."""
    with opened(folder) as one:
        one.begin(thing("a"))
        one.forget(thing("a"))


def test_a_holder_halted_anywhere_is_not_disturbed_by_a_whole_life_of_another(state: Path) -> None:
    """The other one takes lock, journal and folder away, if it gets in at all."""
    got_in = kept_out = 0
    for nth in itertools.count(1):
        folder = state / str(nth)
        halted = Halted(lambda at=folder: a_life(at), FILES, nth)  # type: ignore[misc]
        if not halted.came_so_far:
            break
        try:
            a_life(folder)
            got_in += 1
        except LockedError:
            kept_out += 1
        assert halted.resume() is None, nth
        assert [*folder.rglob("*")] == [], nth
    assert got_in > 10
    assert kept_out > 10


def test_whoever_got_in_while_another_was_halted_anywhere_stays_the_only_one(state: Path) -> None:
    got_in = 0
    for nth in itertools.count(1):
        folder = state / str(nth)
        halted = Halted(lambda at=folder: a_life(at), FILES, nth)  # type: ignore[misc]
        if not halted.came_so_far:
            break
        try:
            second = opened(folder)
        except LockedError:
            assert halted.resume() is None, nth
            continue
        got_in += 1
        with second:
            second.begin(thing("b"))
            ended = halted.resume()
            assert ended is None or isinstance(ended, LockedError), nth
            with pytest.raises(LockedError):
                opened(folder)
            assert read(folder, SCOPE) == (thing("b"),), nth
    assert got_in > 10


def test_many_processes_never_hold_it_at_the_same_time(state: Path) -> None:
    """Each makes a file that must not exist yet while it holds the lock. All of them leave nothing behind each time."""
    program = [sys.executable, "-m", "tests.core.contenders", str(state / "state"), str(state / "inside"), "100"]
    contenders = [
        subprocess.Popen(program, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    for each in contenders:
        assert each.stdout
        assert each.stdout.readline() == "ready\n"
    for each in contenders:
        assert each.stdin
        each.stdin.write("go\n")
        each.stdin.flush()
    for each in contenders:
        each.communicate(timeout=PATIENCE)
    assert [each.returncode for each in contenders] == [0] * 4
    assert [*(state / "state").rglob("*")] == []


class TestNote:
    """What is written in the file tells others; it never decides."""

    def test_it_names_the_holder(self, tmp_path: Path) -> None:
        path = tmp_path / "x.lock"
        with Lock(path, "mldeploy deploy") as held:
            assert held.is_held
            with pytest.raises(LockedError, match="`mldeploy deploy` of "):
                Lock(path, "mldeploy destroy")
        assert not held.is_held
        with Lock(path, "mldeploy destroy") as free:
            assert free.predecessor is None

    @pytest.mark.parametrize("note", [b"", b"{", b"[]", b'{"pid": 1}', b'{"later": "field"}', b"\xff" * 99])
    def test_a_note_that_nobody_can_read_is_nobodys(self, tmp_path: Path, note: bytes) -> None:
        path = tmp_path / "x.lock"
        path.write_bytes(note)
        with Lock(path, "mldeploy deploy") as held:
            assert held.predecessor is None

    def test_a_holder_who_is_just_starting_has_no_name_yet(self, tmp_path: Path) -> None:
        path = tmp_path / "x.lock"
        with Lock(path, "mldeploy deploy"):
            path.write_bytes(b"")
            with pytest.raises(LockedError, match="it is just starting"):
                Lock(path, "mldeploy destroy")

    def test_a_holder_reads_as_a_sentence(self) -> None:
        holder = Holder("ada", "host", 7, "mldeploy deploy", "2026-01-02T03:04:05+00:00")
        assert str(holder) == "`mldeploy deploy` of ada@host (process 7, since 2026-01-02T03:04:05+00:00)"


def test_releasing_again_does_not_release_the_next_ones(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    first = Lock(path, "mldeploy deploy")
    first.release(remove=True)
    with Lock(path, "mldeploy deploy"):
        first.release(remove=True)
        with pytest.raises(LockedError):
            Lock(path, "mldeploy deploy")


def test_a_place_where_nothing_can_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match="cannot be locked") as refused:
        Lock(tmp_path / "file" / "x.lock", "mldeploy deploy")
    assert refused.value.where == str(tmp_path / "file" / "x.lock")
