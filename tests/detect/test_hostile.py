"""Folders that nobody should have, and that must not hang, crash or fool whoever looks into them."""

from __future__ import annotations

import bz2
import io
import lzma
import os
import pickle
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from mldeploy.project.detect.folder import DetectedFolder, DetectionOptions, detect_folder
from mldeploy.project.detect.starts.shell import parse_shell
from mldeploy.project.errors import ProjectError
from tests.detect.folders import TODAY, write

APP = b"from flask import Flask\n\napp = Flask(__name__)\n\n\n@app.get('/')\ndef home():\n    return 'ok'\n"


def looked_at(folder: Path) -> DetectedFolder:
    return detect_folder(folder, DetectionOptions(today=TODAY))


def codes(folder: DetectedFolder) -> set[str]:
    return {each.code for each in folder.remarks}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An app, to which a test adds its mischief."""
    write(tmp_path / "app" / "app.py", APP)
    write(tmp_path / "app" / "requirements.txt", b"flask==3.1.3\n")
    return tmp_path / "app"


@pytest.mark.parametrize("name", ["nowhere", "app/app.py", "nul\0"])
def test_what_is_no_folder_is_said_to_be_none(folder: Path, name: str) -> None:
    with pytest.raises(ProjectError, match="cannot be read as a folder"):
        looked_at(folder.parent / name)


@pytest.mark.parametrize("name", ["main.py", "Procfile", "Dockerfile", "model.pkl", ".env", "pyproject.toml"])
def test_a_pipe_without_a_writer_holds_nobody_up(folder: Path, name: str) -> None:
    os.mkfifo(folder / name)
    detected = looked_at(folder)
    assert str(detected.entry and detected.entry.value) == "app:app"
    assert not detected.models


def test_a_link_out_of_the_folder_is_not_followed(folder: Path) -> None:
    write(folder.parent / "outside" / "secret.py", b"from flask import Flask\nother = Flask('x')\n")
    (folder / "linked").symlink_to(folder.parent / "outside")
    (folder / "linked.py").symlink_to(folder.parent / "outside" / "secret.py")
    (folder / "loop").symlink_to(folder)
    (folder / "dangling.py").symlink_to(folder / "nothing.py")
    detected = looked_at(folder)
    assert [str(each.value) for each in detected.entries] == ["app:app"]
    assert {each.source.path for each in detected.remarks if each.code == "link-outside"} == {"linked", "linked.py"}


def test_names_that_cannot_be_printed_are_passed_over(folder: Path) -> None:
    for name in (b"\xff\xfe.py", b"new\nline.pkl", b"\x1b[31mred.py"):
        (folder / os.fsdecode(name)).write_bytes(APP)
    detected = looked_at(folder)
    assert [str(each.value) for each in detected.entries] == ["app:app"]


def test_nothing_in_the_folder_is_run(folder: Path) -> None:
    mark = folder / "mark"
    run = f"open({str(mark)!r}, 'w')\n".encode()
    write(folder / "app.py", run + APP)
    write(folder / "gunicorn.conf.py", run + b"bind = '0.0.0.0:8000'\n")
    write(folder / "model.pkl", pickle.dumps(_Opens(str(mark))))
    detected = looked_at(folder)
    assert detected.port is not None
    assert detected.port.value == 8000
    assert not mark.exists()


class _Opens:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (self.path, "w")


@pytest.mark.parametrize(
    "source",
    [
        "-" * 100_000 + "1",
        "(" * 5_000 + ")" * 5_000,
        "x = a" + ".b" * 50_000,
        "x = " + "+".join(["1"] * 50_000),
        "x = " + "lambda: " * 20_000 + "1",
        "x = a" + "[0]" * 20_000,
        "x = " + "9" * 10_000,
        "a\0b",
        "# coding: rot13\nx = 1",
        "# coding: nonsense\nx = 1",
        "app = app\n" * 20_000,
        "a = b\nb = a\nfrom flask import Flask\nFlask(a).run(port=b)\n",
        "if x:\n" + "".join(" " * depth + "if x:\n" for depth in range(1, 99)) + " " * 99 + "app = 1",
    ],
    ids=range(13),
)
def test_source_that_no_compiler_could_take_is_one_remark_at_most(folder: Path, source: str) -> None:
    write(folder / "helper.py", f"# flask\n{source}\n".encode())
    write(folder / "app.py", b"import helper\n" + APP)
    detected = looked_at(folder)
    assert str(detected.entry and detected.entry.value) == "app:app"
    allowed = "run-on-import" if ".run(" in source else "unreadable-source"
    assert codes(detected) <= {allowed}


DOCUMENTS: dict[str, list[str]] = {
    "pyproject.toml": [
        "[" * 50_000,
        "a = " + "[" * 50_000,
        "project = 1",
        "[project]\ndependencies = [1, {}]",
        "x = 1e999",
    ],
    "uv.lock": ["package = [1, {name = 1}]", '[[package]]\nname = "a"\nversion = "?"\ndependencies = [{}]'],
    "poetry.lock": ["[[package]]\nname = 1\n[package.dependencies]\na = 1\n[package.extras]\nb = [2]"],
    "Pipfile": ["[packages]\na = 1\nb = [1]\n'(' = '*'\n[requires]\npython_version = 3"],
    "Pipfile.lock": ["[" * 100_000, '{"default": {"a": 1, "b": {"version": 2}}}', "{"],
    "environment.yml": [
        "[" * 20_000,
        "a: &a [*a]",
        "dependencies: [1, {pip: 3}, [], null, '=', ':']",
        "- " * 10_000,
    ],
    "requirements.txt": [
        "-r requirements.txt\n" * 100,
        "-r /etc/passwd",
        "-r ../../x",
        "a" * 500_000,
        "\\\n" * 1000,
        "@ @ @",
    ],
    "Procfile": ["web: " + "'" * 9999, "web:", "web: gunicorn " + "-b " * 9999, "web: cd", "web: python -m"],
    "Dockerfile": [
        "FROM",
        "CMD [",
        "CMD " + "[" * 99_999,
        "FROM a AS a\nFROM a AS a",
        "ENV",
        "\\\n" * 999,
        "EXPOSE $" + "{" * 99,
    ],
    "runtime.txt": ["python-3.99999999999999999999", "\0" * 100, "python-"],
    ".python-version": ["3." + "9" * 5000],
    "gunicorn.conf.py": ["bind = bind", "bind = ['a', 'b']", "workers = 2 ** 99999999"],
    "golden.json": ["[" * 99_999],
}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param(name, text, id=f"{name}-{number}")
        for name, texts in DOCUMENTS.items()
        for number, text in enumerate(texts)
    ],
)
def test_a_document_full_of_nonsense_says_nothing(folder: Path, name: str, text: str) -> None:
    write(folder / name, text.encode())
    detected = looked_at(folder)
    assert str(detected.entry and detected.entry.value) == "app:app"


def test_aliases_of_aliases_do_not_fill_the_memory(folder: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 40)]
    write(folder / "environment.yml", "\n".join([*lines, "dependencies: *a39"]).encode())
    assert _megabytes(lambda: looked_at(folder)) < 50


PICKLES: dict[str, bytes] = {
    "a text of four exabytes": b"\x80\x04\x8d" + (1 << 62).to_bytes(8, "little") + b"x",
    "bytes of four exabytes": b"\x80\x04\x8e" + (1 << 62).to_bytes(8, "little") + b"x",
    "a number of a gigabyte": b"\x80\x04\x8b" + (1 << 30).to_bytes(4, "little") + b"\x01",
    "tuples of tuples": b"\x80\x04)" + b"\x94h\x00h\x00\x86" * 100_000 + b".",
    "an endless stack": b"\x80\x04" + b"N" * 1_100_000,
    "marks": b"\x80\x04" + b"(" * 1_100_000,
    "no stack": b"\x80\x04000000.",
    "no memo": b"\x80\x04h\xffh\xff.",
    "an unknown instruction": b"\x80\x04\xff\xff\xff",
    "names of names": b"\x80\x04\x8c\x01a\x94\x8c\x01b\x94\x93\x93\x93.",
    "a dict in itself": b"\x80\x04}\x94h\x00h\x00s}h\x00\x86b.",
    "a line without an end": b"c" + b"a" * 20_000_000,
    "an array of exabytes": (
        b"\x80\x04\x8c\x13joblib.numpy_pickle\x94\x8c\x11NumpyArrayWrapper\x94\x93\x94)\x81\x94}\x94(\x8c\x05shape\x94"
        b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x85\x8c\x05dtype\x94\x8c\x05numpy\x94\x8c\x05dtype\x94\x93\x94\x8c\x02f8"
        b"\x94\x85\x94R\x94ub."
    ),
}


@pytest.mark.parametrize("data", PICKLES.values(), ids=PICKLES)
def test_a_pickle_made_to_explode_does_not(folder: Path, data: bytes) -> None:
    write(folder / "model.pkl", data)
    start = time.process_time()
    assert _megabytes(lambda: looked_at(folder)) < 300
    assert time.process_time() - start < 600


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "zlib": lambda data: zlib.compress(data, 9),
    "bz2": bz2.compress,
    "xz": lambda data: lzma.compress(data, preset=0),
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE, preset=0),
}


@pytest.mark.parametrize("pack", PACKED.values(), ids=PACKED)
def test_a_compressed_file_is_not_unpacked_without_end(folder: Path, pack: Callable[[bytes], bytes]) -> None:
    bomb = b"\x80\x04\x8e" + (90 << 20).to_bytes(8, "little") + bytes(90 << 20) + b"."
    write(folder / "model.joblib", pack(bomb))
    del bomb
    assert _megabytes(lambda: looked_at(folder)) < 100


@pytest.mark.parametrize("members", [{"data.pkl": bytes(80 << 20)}, {f"{n}/x": b"" for n in range(25_000)}, {}])
def test_an_archive_is_not_unpacked_without_end(folder: Path, members: dict[str, bytes]) -> None:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    for data in (held.getvalue(), held.getvalue()[:-5], b"PK\x03\x04" + held.getvalue()[::-1]):
        write(folder / "model.pt", data)
        assert _megabytes(lambda: looked_at(folder)) < 100


def test_a_folder_as_deep_and_as_full_as_a_disk_can_hold_is_cut_short(folder: Path) -> None:
    deep = folder.joinpath(*["d"] * 60)
    write(deep / "app.py", APP)
    detected = looked_at(folder)
    assert [str(each.value) for each in detected.entries] == ["app:app"]
    assert "too-many-files" in codes(detected)


def test_ten_thousand_files_take_no_longer_than_a_second(folder: Path) -> None:
    for number in range(10_000):
        path = folder / f"part{number % 100}" / f"file{number}{('.py', '.txt', '.json', '.csv')[number % 4]}"
        write(path, b"import json\n\nNUMBERS = [1, 2, 3]\n")
    detected = looked_at(folder)
    assert _seconds(lambda: looked_at(folder)) < max(1, 8 * _seconds(lambda: read_all(folder)))
    assert str(detected.entry and detected.entry.value) == "app:app"


def test_thousands_of_lines_for_one_package_are_a_few_remarks(folder: Path) -> None:
    for text in ("".join(f"a=={number}\n" for number in range(5_000)), "a==1\n" * 5_000):
        write(folder / "requirements.txt", text.encode())
        contradictions = [each for each in looked_at(folder).remarks if each.code == "dependency-contradiction"]
        assert len(contradictions) < 20


def test_a_binary_file_is_no_start_script() -> None:
    assert not list(parse_shell("\0" * 1_000_000))
    assert not list(parse_shell("gunicorn app:app\n\0"))


def read_all(folder: Path) -> None:
    for path in folder.rglob("*.*"):
        path.read_bytes()


def _seconds(look: Callable[[], object]) -> float:
    """What it takes of a processor: the best of three, for others use it, too."""
    taken = []
    for _ in range(3):
        start = time.process_time()
        look()
        taken.append(time.process_time() - start)
    return min(taken)


def _megabytes(look: Callable[[], object]) -> float:
    """The most that was held at once."""
    tracemalloc.start()
    try:
        look()
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()
