"""A build context holds what the folder holds, and is the same bytes wherever and whenever it is made."""

from __future__ import annotations

import io
import os
import shutil
import socket
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mldeploy.image.context import Context, Text, digest
from mldeploy.image.files import CHUNK, ContextFile, list_files
from mldeploy.project.errors import ProjectError
from mldeploy.project.ignore import Ignore

EVERYTHING = Ignore(())


def packed(folder: Path) -> bytes:
    return b"".join(Context.of("Dockerfile", list_files(folder, EVERYTHING)).tar())


def unpacked(tar: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(tar), errors="surrogateescape") as archive:
        return {member.name: member for member in archive}


def content(tar: bytes, name: str) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        file = archive.extractfile(name)
        assert file
        return file.read()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "folder"
    (made / "sub" / "empty").mkdir(parents=True)
    (made / "sub" / "file.txt").write_text("hello")
    (made / "run.sh").write_text("#!/bin/sh")
    (made / "run.sh").chmod(0o750)
    (made / "link").symlink_to("sub/file.txt")
    (made / "broken").symlink_to("../nowhere")
    return made


def test_it_holds_files_folders_and_links(folder: Path) -> None:
    result = unpacked(packed(folder))
    kinds = {name: (member.type, member.mode, member.linkname) for name, member in result.items()}
    assert kinds == {
        "sub": (tarfile.DIRTYPE, 0o755, ""),
        "sub/empty": (tarfile.DIRTYPE, 0o755, ""),
        "sub/file.txt": (tarfile.REGTYPE, 0o644, ""),
        "run.sh": (tarfile.REGTYPE, 0o755, ""),
        "link": (tarfile.SYMTYPE, 0o777, "sub/file.txt"),
        "broken": (tarfile.SYMTYPE, 0o777, "../nowhere"),
    }
    assert {(member.uid, member.gid, member.uname) for member in result.values()} == {(0, 0, "")}
    assert content(packed(folder), "sub/file.txt") == b"hello"


def test_it_does_not_hang_on_when_who_and_where(folder: Path, tmp_path: Path) -> None:
    before = packed(folder)
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy, symlinks=True)
    os.utime(copy / "sub" / "file.txt", (1, 1))
    os.chown(copy / "run.sh", os.getuid(), os.getgid())
    (copy / "sub" / "file.txt").chmod(0o600)
    assert packed(copy) == before
    assert digest(list_files(copy, EVERYTHING)) == digest(list_files(folder, EVERYTHING))


def relink(folder: Path) -> None:
    (folder / "link").unlink()
    (folder / "link").symlink_to("run.sh")


def make_it_a_folder(folder: Path) -> None:
    (folder / "run.sh").unlink()
    (folder / "run.sh").mkdir()


EDITS: dict[str, Callable[[Path], object]] = {
    "content": lambda folder: (folder / "sub" / "file.txt").write_text("HELLO"),
    "name": lambda folder: (folder / "run.sh").rename(folder / "walk.sh"),
    "mode": lambda folder: (folder / "run.sh").chmod(0o640),
    "link": relink,
    "new empty file": lambda folder: (folder / "new").touch(),
    "empty folder gone": lambda folder: (folder / "sub" / "empty").rmdir(),
    "folder instead of a file": make_it_a_folder,
}


@pytest.mark.parametrize("edit", EDITS)
def test_every_edit_is_another_hash(folder: Path, edit: str) -> None:
    before = digest(list_files(folder, EVERYTHING)), packed(folder)
    EDITS[edit](folder)
    after = digest(list_files(folder, EVERYTHING)), packed(folder)
    assert after[0] != before[0]
    assert after[1] != before[1]


def test_an_edit_of_equal_size_is_another_time(folder: Path) -> None:
    """Flask makes the ETag of a static file from its time and size: a browser must not keep the old one."""
    before = unpacked(packed(folder))["sub/file.txt"].mtime
    (folder / "sub" / "file.txt").write_text("HELLO")
    after = unpacked(packed(folder))["sub/file.txt"].mtime
    assert after != before
    assert 946_684_800 <= after < 1_500_000_000


def test_it_streams_a_large_file(tmp_path: Path) -> None:
    model = tmp_path / "model.bin"
    model.write_bytes(os.urandom(3 * CHUNK + 17))
    blocks = list(Context.of("Dockerfile", list_files(tmp_path, EVERYTHING)).tar())
    assert max(map(len, blocks)) <= 2 * CHUNK
    assert content(b"".join(blocks), "model.bin") == model.read_bytes()


def test_it_tells_how_much_it_has_sent(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(bytes(5 * CHUNK))
    context = Context.of("Dockerfile", list_files(tmp_path, EVERYTHING))
    messages: list[int] = []
    sent = sum(map(len, context.tar(messages.append)))
    assert sum(messages) == sent >= context.size == 5 * CHUNK


@given(st.binary(min_size=1, max_size=60).filter(lambda name: not {0, 47} & set(name) and name not in (b".", b"..")))
def test_names_that_are_no_text_survive(tmp_path_factory: pytest.TempPathFactory, name: bytes) -> None:
    folder = tmp_path_factory.mktemp("names")
    (folder / os.fsdecode(name)).write_text("here")
    assert {os.fsencode(each) for each in unpacked(packed(folder))} == {name}
    digest(list_files(folder, EVERYTHING))


def test_a_path_of_any_length_survives(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["a" * 100] * 5)
    deep.mkdir(parents=True)
    (deep / "model.bin").write_text("here")
    name = str((deep / "model.bin").relative_to(tmp_path))
    assert content(packed(tmp_path), name) == b"here"


def test_sockets_and_pipes_are_passed_over(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        (tmp_path / "file").touch()
        assert [file.path for file in list_files(tmp_path, EVERYTHING)] == ["file"]


def grow(path: Path) -> None:
    with path.open("a") as file:
        file.write("more")


@pytest.mark.parametrize("change", [grow, lambda path: path.write_text("short"), lambda path: path.unlink()])
def test_a_file_that_changes_meanwhile_stops_the_build(tmp_path: Path, change: Callable[[Path], object]) -> None:
    path = tmp_path / "app.log"
    path.write_text("a line\n" * 10)
    context = Context.of("Dockerfile", list_files(tmp_path, EVERYTHING))
    change(path)
    with pytest.raises(ProjectError, match="changed while it was being read") as caught:
        list(context.tar())
    assert caught.value.where == str(path)


def test_a_file_that_grows_while_it_is_sent_stops_the_build(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(bytes(3 * CHUNK))
    blocks = Context.of("Dockerfile", list_files(tmp_path, EVERYTHING)).tar()
    next(blocks)
    grow(path)
    with pytest.raises(ProjectError, match="changed while it was being read"):
        list(blocks)


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="cannot be read") as caught:
        list_files(tmp_path / "missing", EVERYTHING)
    assert caught.value.where == str(tmp_path / "missing")


def paths(members: Iterable[Text | ContextFile]) -> list[str]:
    return [member.path for member in Context.of("Dockerfile", members).members]


def test_the_later_of_two_counts_and_parents_are_added() -> None:
    twice = [Text("b/c/d", b"old"), Text("a", b""), Text("b/c/d", b"new")]
    assert paths(twice) == ["a", "b", "b/c", "b/c/d"]
    assert content(b"".join(Context.of("a", twice).tar()), "b/c/d") == b"new"
