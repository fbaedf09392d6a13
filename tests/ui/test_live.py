"""The live display, on a real terminal."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import pytest

from tests.cli.terminal import COLORS, Terminal

WALK = (sys.executable, "-m", "tests.ui.walking")


def seen(columns: int = 80, env: Mapping[str, str] | None = None) -> str:
    """Everything that the walk wrote on a terminal."""
    with Terminal(WALK, env=env or {}, columns=columns) as terminal:
        terminal.expect("9")
        terminal.expect("40 MB")
        terminal.press("\n")
        assert terminal.end() == 0
        return terminal.seen


def test_steps_that_run_show_how_far_they_are_and_their_bars_in_bytes() -> None:
    with Terminal(WALK, env={}) as terminal:
        terminal.expect("3/9 RUN uv pip install")
        terminal.expect("3fa9bb01c0de")
        terminal.expect("30 MB / 40 MB")


def test_what_has_ended_stays_with_its_mark_action_and_seconds() -> None:
    with Terminal(WALK, env={}) as terminal:
        terminal.press("\n")
        assert terminal.end() == 0
    last = terminal.text.splitlines()
    assert any(line.split() == ["✓", "Get", "the", "base", "image", "unchanged"] for line in last)
    assert any(line.split() == ["✓", "Build", "the", "image", "updated", "12", "s"] for line in last)
    assert any(line.split() == ["✗", "Run", "the", "container", "failed", "3.4", "s"] for line in last)
    assert "  cpu 256 → 512" in last
    assert "warning: the app answers everybody" in last


def test_the_cursor_is_shown_again_at_the_end() -> None:
    text = seen()
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")


def test_colours_are_there_unless_they_are_not_wanted() -> None:
    assert COLORS.search(seen())
    assert not COLORS.search(seen(env={"NO_COLOR": "1"}))


@pytest.mark.parametrize("locale", [{"LANG": "C"}, {"LANG": "", "LC_ALL": "POSIX"}, {"LANG": "C", "LC_CTYPE": ""}])
def test_a_locale_without_unicode_gets_ascii(locale: Mapping[str, str]) -> None:
    with Terminal(WALK, env=locale) as terminal:
        terminal.press("\n")
        assert terminal.end() == 0
    assert terminal.seen.isascii()
    text = terminal.text
    assert "+ Build the image" in text
    assert "cpu 256 -> 512" in text


def test_nothing_is_wider_than_a_narrow_terminal() -> None:
    with Terminal(WALK, env={}, columns=40) as terminal:
        terminal.expect("MB")
        terminal.press("\n")
        assert terminal.end() == 0
    assert max(len(line) for line in terminal.text.splitlines()) <= 40


@pytest.mark.parametrize("kind", ["dumb", "unknown", ""])
def test_a_dumb_terminal_gets_lines_and_not_one_escape(kind: str) -> None:
    with Terminal(WALK, env={"TERM": kind}) as terminal:
        terminal.press("\n")
        assert terminal.end() == 0
    assert "\x1b" not in terminal.seen
    assert "Build the image: updated in 12 s (cpu 256 → 512)" in terminal.text
