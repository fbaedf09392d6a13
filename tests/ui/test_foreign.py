"""What an app writes cannot command the terminal of whoever reads it."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mldeploy.ui.foreign import RESET, ForeignStream, foreign_line

SGR = re.compile(r"\x1b\[[0-9;:]*m")


def obeyed(shown: str) -> list[str]:
    """The characters that a terminal would obey, besides colours."""
    return [each for each in SGR.sub("", shown) if unicodedata.category(each) in {"Cc", "Cs"} and each not in "\n\t"]


def streamed(data: bytes, at: int) -> str:
    stream = ForeignStream(color=True)
    return stream.feed(data[:at]) + stream.feed(data[at:]) + stream.end()


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("plain", "plain"),
        ("tab\tä 模型 👩🏽‍🚀", "tab\tä 模型 👩🏽‍🚀"),
        ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
        ("\x1b[1;38;5;8mleft on", f"\x1b[1;38;5;8mleft on{RESET}"),
        ("dos\r", "dos"),
        ("over\rwritten", "over\\rwritten"),
        ("\x1b[8mhidden", "hidden"),
    ],
)
def test_a_line_and_its_colours(line: str, shown: str) -> None:
    assert foreign_line(line, color=True) == shown


def test_without_colours_nothing_of_them_is_left() -> None:
    assert foreign_line("\x1b[31mred\x1b[0m", color=False) == "red"


@given(st.text(alphabet="\x1b[]0;8mH\x07\x9b\x9c\\PA\r\nx\u202e"), st.booleans())
def test_no_line_commands_a_terminal(line: str, color: bool) -> None:
    shown = foreign_line(line, color=color)
    assert not obeyed(shown)
    assert color or "\x1b" not in shown


@given(st.binary() | st.text(alphabet="\x1b[]0;mH\x07\x9bPx\r\n").map(str.encode), st.integers(0, 40))
def test_no_stream_does_wherever_it_is_cut(data: bytes, at: int) -> None:
    shown = streamed(data, at)
    assert not obeyed(shown)
    rest = SGR.findall(shown)
    assert not rest or SGR.fullmatch(rest[-1])


@pytest.mark.parametrize("at", range(12))
def test_a_colour_may_be_cut_anywhere(at: int) -> None:
    assert streamed(b"a\x1b[31mred\x1b[0m\n", at) == "a\x1b[31mred\x1b[0m\n"


def test_colours_end_with_the_line_and_with_the_command() -> None:
    stream = ForeignStream(color=True)
    assert stream.feed(b"\x1b[31mone\ntwo\x1b[1m") == f"\x1b[31mone{RESET}\ntwo\x1b[1m"
    assert stream.end() == RESET
    assert stream.end() == ""


def test_a_progress_bar_becomes_lines() -> None:
    assert streamed(b"10%\r20%\r\ndone", 4) == "10%\n20%\ndone"
