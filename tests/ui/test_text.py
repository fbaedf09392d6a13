"""Numbers, times and foreign text."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mldeploy.ui import text


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0.00 s"), (0.314, "0.31 s"), (4.23, "4.2 s"), (9.96, "10 s"), (59.7, "1 min 00 s"), (185, "3 min 05 s")],
)
def test_seconds(value: float, shown: str) -> None:
    assert text.seconds(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (18_200, "18 kB"),
        (999_600, "1.0 MB"),
        (547_000_000, "547 MB"),
        (2_400_000_000, "2.4 GB"),
    ],
)
def test_size(value: int, shown: str) -> None:
    assert text.size(value) == shown


@given(st.integers(min_value=0, max_value=10**15))
def test_a_size_is_right_to_one_part_in_ten(value: int) -> None:
    number, unit = text.size(value).split()
    shown = float(number) * {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}[unit]
    assert abs(shown - value) <= value / 10


@pytest.mark.parametrize(
    ("ago", "shown"),
    [
        (timedelta(seconds=12), "12 s ago"),
        (timedelta(minutes=3), "3 min ago"),
        (timedelta(hours=30), "30 h ago"),
        (timedelta(days=3), "3 d ago"),
        (timedelta(seconds=-5), "0 s ago"),
    ],
)
def test_age(ago: timedelta, shown: str) -> None:
    now = datetime(2026, 11, 21, tzinfo=UTC)
    assert text.age((now - ago).isoformat(), now) == shown


def test_an_engine_s_own_form_of_a_moment_is_understood() -> None:
    now = datetime(2026, 11, 21, 8, 0, 12, tzinfo=UTC)
    assert text.age("2026-11-21T08:00:00.123456789Z", now) == "11 s ago"
    assert text.age("yesterday", now) == "yesterday"


@given(st.text())
def test_foreign_text_cannot_command_a_terminal(foreign: str) -> None:
    shown = text.printable(foreign)
    assert all(unicodedata.category(each) not in {"Cc", "Cs"} or each in "\n\t" for each in shown)
    shown.encode()


@pytest.mark.parametrize(
    "hidden", ["\u00ad", "\u034f", "\u115f", "\u180e", "\u200b", "\u200c", "\u200d", "\u3164", "\uffa0"]
)
def test_nothing_is_hidden_in_a_name(hidden: str) -> None:
    assert text.printable(f"shop{hidden}admin") == f"shop{hidden.encode('unicode_escape').decode()}admin"


@pytest.mark.parametrize("foreign", ["\U0001f468\u200d\U0001f469", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"])
def test_joiners_pass_where_they_are_part_of_a_word(foreign: str) -> None:
    assert text.printable(foreign) == foreign


def test_our_own_marks_have_an_ascii_form() -> None:
    assert text.printable("✓ cpu 256 → 512 …", unicode=False) == "+ cpu 256 -> 512 ..."
