"""Whoever reads the log of a hostile app on a terminal reads text, and nothing happens to the terminal."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest

from tests.cli.command import Command

HOSTILE = {
    "title": "\x1b]0;owned\x07",
    "title, ended by ST": "\x1b]2;owned\x1b\\",
    "clipboard": "\x1b]52;c;cm0gLXJmIH4=\x07",
    "hyperlink": "\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "notification": "\x1b]777;notify;owned;owned\x07",
    "cursor up": "\x1b[1A\x1b[2Kdone",
    "cursor home, clear": "\x1b[H\x1b[2J",
    "other screen": "\x1b[?1049h",
    "mouse": "\x1b[?1003h",
    "paste mode": "\x1b[?2004h",
    "status report": "\x1b[6n\x1b[c\x1bZ",
    "device control": '\x1bP$q"p\x1b\\',
    "application": "\x1b_Gowned\x1b\\",
    "privacy": "\x1b^owned\x1b\\",
    "start of string": "\x1bXowned\x1b\\",
    "C1 CSI": "\x9b2J",
    "C1 OSC": "\x9d0;owned\x9c",
    "C1 DCS": "\x90owned\x9c",
    "full reset": "\x1bc",
    "charset": "\x1b(0\x0e",
    "backspace": "rm -rf /\x08\x08\x08\x08\x08\x08\x08\x08",
    "carriage return": "dangerous\rharmless!",
    "bell": "\x07",
    "over two lines": "\x1b]0;own\ned\x07",
    "SGR over two lines": "\x1b[3\n1m",
    "unterminated": "\x1b]0;never ends",
    "a private SGR": "\x1b[>4;2m\x1b[?4m",
    "a space in an SGR": "\x1b[31 q\x1b[1 m",
    "bidi override": "\u202eevil\u202c",
    "bidi isolate": "\u2066evil\u2069",
    "bidi marks": "\u200e\u200f\u061c",
    "line separator": "a\u2028b\u2029c",
    "tags": "\U000e0041\U000e0042",
    "delete": "\x7f",
    "nul": "\x00",
}
OUR_COLORS = re.compile(r"\x1b\[[0-9;:]*m")
BIDI = set("\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def obeyed(text: str) -> set[str]:
    """What of the text a terminal would obey, but for colours and the ends of its lines."""
    rest = OUR_COLORS.sub("", text).replace("\r\n", "\n")
    return {each for each in rest if (unicodedata.category(each) == "Cc" and each not in "\n\t") or each in BIDI}


@pytest.fixture
def log(paper: Command, tmp_path: Path) -> Path:
    """The deployed app's log."""
    assert paper("deploy", "-t", "paper").code == 0
    return tmp_path / "things" / "log"


def test_no_line_reaches_the_terminal_as_it_is(paper: Command, log: Path) -> None:
    for what, line in HOSTILE.items():
        log.write_text(f"{log.read_text() if log.exists() else ''}{what} {{{line}}}\n", newline="\n")
    with paper.on_terminal("logs", "-t", "paper", columns=400) as terminal:
        assert terminal.end() == 0
    assert obeyed(terminal.seen) == set()
    assert [what for what in HOSTILE if f"{what} {{" not in terminal.seen] == [], "every line is there to be read"
    assert "owned" in terminal.seen, "and nothing of it is swallowed"


def test_neither_in_a_pipe_nor_in_a_document(paper: Command, log: Path) -> None:
    log.write_text("\n".join(HOSTILE.values()), newline="\n")
    assert obeyed(paper("logs", "-t", "paper", "--tail", "0").out) == set()
    document = paper("logs", "-t", "paper", "--tail", "0", "--json")
    assert obeyed(document.out) == set()
    assert "\n".join(document.document["lines"]) == "\n".join(HOSTILE.values())  # type: ignore[arg-type]


def test_colours_pass_and_end_with_their_line(paper: Command, log: Path) -> None:
    log.write_text("\x1b[31mred\x1b[0m plain\n\x1b[1;38;5;208mleft on\nnext", newline="\n")
    with paper.on_terminal("logs", "-t", "paper") as terminal:
        assert terminal.end() == 0
    assert terminal.seen.replace("\r\n", "\n") == ("\x1b[31mred\x1b[0m plain\n\x1b[1;38;5;208mleft on\x1b[0m\nnext\n")
    with paper.on_terminal("logs", "-t", "paper", "--no-color") as terminal:
        assert terminal.end() == 0
    assert "\x1b" not in terminal.seen
    assert paper("logs", "-t", "paper").out == "red plain\nleft on\nnext\n"
