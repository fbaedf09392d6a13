"""The journal: what it lists, which files it leaves, what it refuses to read, who else may write."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mldeploy.core.errors import ExitCode, LockedError, StateError
from mldeploy.core.journal import Journal, Scope, read
from mldeploy.core.step import Key, Resource
from tests.core.journals import SCOPE, file_of, opened, thing
from tests.core.patience import unhurried
from tests.core.places import memory
from tests.core.rivals import Rival

A, B, C = map(thing, "abc")


names = st.text(max_size=20)
resources = st.builds(Resource, names, st.builds(Key, names, st.lists(names, max_size=3).map(tuple)))


@unhurried
@given(st.lists(st.tuples(st.booleans(), resources), max_size=12))
def test_it_lists_what_was_begun_and_not_forgotten_in_that_order(changes: list[tuple[bool, Resource]]) -> None:
    expected: dict[Resource, None] = {}
    with tempfile.TemporaryDirectory(dir=memory()) as name:
        folder = Path(name)
        with opened(folder) as journal:
            for is_begin, changed in changes:
                (journal.begin if is_begin else journal.forget)(changed)
                if is_begin:
                    expected.setdefault(changed)
                else:
                    expected.pop(changed, None)
                assert journal.resources == read(folder, SCOPE) == tuple(expected)
        assert read(folder, SCOPE) == tuple(expected)
        with opened(folder) as again:
            assert again.resources == tuple(expected)


def test_what_is_known_already_is_not_written_again(tmp_path: Path) -> None:
    before = file_of(tmp_path, A, B).read_bytes()
    with opened(tmp_path) as journal:
        journal.begin(A)
        journal.forget(C)
    assert SCOPE.file(tmp_path).read_bytes() == before


def test_steps_that_begin_at_the_same_time_are_all_written(tmp_path: Path) -> None:
    begun = [thing(str(number)) for number in range(12)]
    barrier = threading.Barrier(len(begun))
    with opened(tmp_path) as journal:

        def begin(entry: Resource) -> None:
            barrier.wait()
            journal.begin(entry)

        threads = [threading.Thread(target=begin, args=(entry,)) for entry in begun]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(read(tmp_path, SCOPE)) == sorted(begun)


class TestFiles:
    def test_a_journal_that_lists_nothing_leaves_nothing(self, tmp_path: Path) -> None:
        state = tmp_path / "state"
        with opened(state) as journal:
            journal.begin(A)
            assert SCOPE.file(state).exists()
            journal.forget(A)
        assert [*state.rglob("*")] == []

    def test_a_journal_that_was_only_opened_leaves_nothing(self, tmp_path: Path) -> None:
        opened(tmp_path).close()
        assert [*tmp_path.rglob("*")] == []

    def test_two_targets_of_an_app_do_not_disturb_each_other(self, tmp_path: Path) -> None:
        here, there = Scope("insurance", "local"), Scope("insurance", "fargate", ("1234", "eu-west-1"))
        with Journal(tmp_path, here, "mldeploy deploy") as one, Journal(tmp_path, there, "mldeploy deploy") as other:
            one.begin(A)
            other.begin(B)
        assert (read(tmp_path, here), read(tmp_path, there)) == ((A,), (B,))
        with Journal(tmp_path, here, "mldeploy destroy") as one:
            one.forget(A)
        assert not here.file(tmp_path).exists()
        assert read(tmp_path, there) == (B,)

    @unhurried
    @given(*[st.builds(Scope, names, names, st.lists(names, max_size=2).map(tuple))] * 2)
    @example(Scope("a b", "t"), Scope("a_b", "t"))
    @example(Scope("a", "t", ("x", "y")), Scope("a", "t@x", ("y",)))
    @example(Scope("a", "t.b"), Scope("a", "t.a"))
    @example(Scope("..", "t"), Scope(".", "t"))
    def test_two_scopes_never_share_a_file(self, one: Scope, other: Scope) -> None:
        assert (one.file(Path("state")) == other.file(Path("state"))) == (one == other)

    @unhurried
    @given(st.builds(Scope, names, names, st.lists(names, max_size=2).map(tuple)))
    @example(Scope("..", ".."))
    @example(Scope("", ""))
    def test_a_file_lies_in_a_folder_below_the_state(self, scope: Scope) -> None:
        assert scope.file(Path("state")).parent.parent == Path("state")
        assert ".." not in scope.file(Path("state")).parts

    def test_closing_again_does_not_take_away_the_next_ones_journal(self, tmp_path: Path) -> None:
        first = opened(tmp_path)
        first.close()
        with opened(tmp_path) as second:
            second.begin(A)
            first.close()
            assert read(tmp_path, SCOPE) == (A,)
            with pytest.raises(LockedError):
                opened(tmp_path)


class TestRefused:
    """What this version cannot read is never read half."""

    def refusal(self, folder: Path) -> StateError:
        with pytest.raises(StateError) as by_reading:
            read(folder, SCOPE)
        with pytest.raises(StateError) as by_opening:
            opened(folder)
        assert str(by_reading.value) == str(by_opening.value)
        assert by_opening.value.exit_code is ExitCode.STATE
        return by_opening.value

    @pytest.mark.parametrize(
        "damage",
        [
            "{",
            "",
            "[]",
            "5",
            "null",
            '{"change": "begin"}',
            '{"change": "begin", "kind": "x", "name": "y", "scope": "z"}',
            '{"change": "eaten", "kind": "x", "name": "y", "scope": []}',
            "\x00\x00\x00",
            "ÿ",
            "[" * 100_000,
        ],
    )
    @pytest.mark.parametrize("line", [1, 2, 3])
    def test_a_damaged_line_is_named(self, tmp_path: Path, damage: str, line: int) -> None:
        path = file_of(tmp_path, A, B, C)
        lines = path.read_bytes().split(b"\n")
        lines[line - 1] = damage.encode("latin-1")
        path.write_bytes(b"\n".join(lines))
        refused = self.refusal(tmp_path)
        assert refused.where == f"{path}:{line}"
        assert "It is damaged" in refused.todo
        assert path.read_bytes() == b"\n".join(lines)

    def test_a_newer_versions_journal_is_for_that_version(self, tmp_path: Path) -> None:
        path = file_of(tmp_path, A)
        header, rest = path.read_text().split("\n", 1)
        path.write_text(json.dumps({**json.loads(header), "version": 2, "more": True}) + "\n" + rest)
        refused = self.refusal(tmp_path)
        assert refused.where == f"{path}:1"
        assert "version 2" in refused.what
        assert "newer" in refused.todo
        assert "damaged" not in str(refused)

    def test_a_journal_of_another_deployment_is_not_ours(self, tmp_path: Path) -> None:
        """As after copying or renaming state folders: its entries would be destroyed under our name."""
        other = Scope("churn", "simulated", ("earth",))
        with Journal(tmp_path, other, "mldeploy deploy") as journal:
            journal.begin(A)
        SCOPE.file(tmp_path).parent.mkdir()
        other.file(tmp_path).rename(SCOPE.file(tmp_path))
        refused = self.refusal(tmp_path)
        assert refused.where == f"{SCOPE.file(tmp_path)}:1"
        assert "churn" in refused.what

    def test_what_may_not_be_read(self, tmp_path: Path) -> None:
        path = file_of(tmp_path, A)
        for ask in (lambda: read(tmp_path, SCOPE), lambda: opened(tmp_path)):
            with unprivileged(path), pytest.raises(StateError, match="Permission denied") as refused:
                ask()
            assert str(path.parent) in refused.value.where

    def test_what_is_no_file(self, tmp_path: Path) -> None:
        SCOPE.file(tmp_path).mkdir(parents=True)
        assert self.refusal(tmp_path).where == str(SCOPE.file(tmp_path))

    def test_after_a_refusal_the_lock_is_free(self, tmp_path: Path) -> None:
        path = file_of(tmp_path, A)
        whole = path.read_bytes()
        path.write_bytes(b"?\n" + whole)
        self.refusal(tmp_path)
        path.write_bytes(whole)
        with opened(tmp_path) as journal:
            assert journal.predecessor is None

    @unhurried
    @given(st.binary(max_size=300))
    @example(b'{"version":1}\n')
    def test_whatever_stands_there_is_read_or_refused(self, content: bytes) -> None:
        with tempfile.TemporaryDirectory() as name:
            path = SCOPE.file(Path(name))
            path.parent.mkdir()
            path.write_bytes(content)
            try:
                entries = read(Path(name), SCOPE)
            except StateError as refused:
                assert refused.where.startswith(f"{path}:")  # noqa: PT017 - both ends are right
            else:
                assert entries == ()

    @unhurried
    @given(st.data())
    def test_one_flipped_bit_is_never_another_kind_of_error(self, data: st.DataObject) -> None:
        with tempfile.TemporaryDirectory() as name:
            path = file_of(Path(name), A, B, C)
            content = bytearray(path.read_bytes())
            at = data.draw(st.integers(0, len(content) - 1))
            content[at] ^= 1 << data.draw(st.integers(0, 7))
            path.write_bytes(content)
            with contextlib.suppress(StateError):
                read(Path(name), SCOPE)


@contextlib.contextmanager
def unprivileged(path: Path) -> Iterator[None]:
    """The file may not be read, not even by root."""
    path.chmod(0)
    uid = os.geteuid()
    if not uid:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(uid)


class TestRivals:
    def test_the_second_writer_is_told_who_holds_it_since_when_and_for_what(self, tmp_path: Path) -> None:
        with Rival(tmp_path, "mldeploy deploy --target x") as first:
            assert first.open == "open"
            assert first.tell("begin a") == "done"
            with pytest.raises(LockedError) as locked:
                opened(tmp_path)
            assert locked.value.exit_code is ExitCode.LOCKED
            for fact in ("`mldeploy deploy --target x`", f"process {first.pid}", "@", "since 2"):
                assert fact in locked.value.what
            assert first.tell("begin b") == "done"
            assert read(tmp_path, SCOPE) == (A, B)
            assert first.tell("close") == "done"
        with opened(tmp_path) as journal:
            assert journal.resources == (A, B)
            assert journal.predecessor is None

    def test_the_lock_of_the_dead_is_free_and_names_them(self, tmp_path: Path) -> None:
        with Rival(tmp_path, "mldeploy deploy --target x") as dead:
            dead.tell("begin a")
            dead.kill()
            with opened(tmp_path) as journal:
                assert journal.predecessor
                assert journal.predecessor.pid == dead.pid
                assert journal.predecessor.command == "mldeploy deploy --target x"
                assert journal.resources == (A,)
        with opened(tmp_path) as journal:
            assert journal.predecessor is None

    def test_reading_needs_no_lock(self, tmp_path: Path) -> None:
        with opened(tmp_path) as journal:
            journal.begin(A)
            assert read(tmp_path, SCOPE) == (A,)
