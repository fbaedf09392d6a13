"""`mldeploy secrets`: what is read, what is refused, and what is never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command import Command

pytestmark = pytest.mark.engine

VALUE = "an-unguessable-value"


def test_a_secret_is_stored_listed_and_removed(mldeploy: Command, name: str) -> None:
    stored = mldeploy("secrets", "set", "API_KEY", stdin=f"{VALUE}\n")
    assert stored.code == 0, stored.err
    assert f"API_KEY is stored for {name} on local" in stored.out
    assert "mldeploy deploy" in stored.out
    again = mldeploy("secrets", "set", "API_KEY", "--json", stdin=VALUE)
    assert again.document["changed"] is False
    listed = mldeploy("secrets", "list")
    assert "API_KEY" in listed.out
    (journal,) = mldeploy.state.rglob("*.journal")
    assert "API_KEY" in journal.read_text()
    shown = (stored, again, listed)
    assert not any(VALUE in text for each in shown for text in (each.out, each.err, journal.read_text()))
    removed = mldeploy("secrets", "unset", "API_KEY", "--json")
    assert removed.document["changed"] is True
    assert removed.document["secrets"] == []
    assert mldeploy("secrets", "unset", "API_KEY", "--json").document["changed"] is False
    assert not list(mldeploy.state.rglob("*.secrets"))


@pytest.mark.parametrize(
    ("words", "stdin", "what"),
    [
        (("set",), "", "needs the name of one secret"),
        (("set", f"API_KEY={VALUE}"), "", "and no value"),
        (("set", "API_KEY", VALUE), "", "and no value"),
        (("set", "API-KEY"), VALUE, "is not a name of a variable"),
        (("set", "PORT"), VALUE, "is set by mldeploy"),
        (("unset", "MLDEPLOY_ACCESS_KEYS"), "", "is set by mldeploy"),
        (("set", "API_KEY"), "\n", "the value is empty"),
        (("set", "API_KEY"), f"{VALUE}\0", "a NUL"),
        (("list", "API_KEY"), "", "takes no name"),
        (("list", "--target", "ecr"), "", "keeps no secrets"),
    ],
)
def test_wrong_input_is_refused_before_anything_changes(
    mldeploy: Command, words: tuple[str, ...], stdin: str, what: str
) -> None:
    refused = mldeploy("secrets", *words, stdin=stdin)
    assert refused.code == 2, refused.err
    assert what in refused.err
    assert VALUE not in refused.err + refused.out
    assert not list(mldeploy.state.rglob("*.journal"))


def test_a_value_that_is_too_large_is_refused(mldeploy: Command) -> None:
    refused = mldeploy("secrets", "set", "API_KEY", stdin="x" * 200_000)
    assert refused.code == 9, refused.err
    assert "200,000 bytes" in refused.err
    assert not list(mldeploy.state.rglob("*.journal"))


def test_a_variable_of_the_configuration_is_refused(mldeploy: Command, folder: Path) -> None:
    (folder / "mldeploy.toml").write_text('[app]\nname = "shop"\nmodels = []\nenv = { API_KEY = "open" }\n')
    refused = mldeploy("secrets", "set", "API_KEY", stdin=VALUE)
    assert refused.code == 3, refused.err
    assert "mldeploy secrets unset API_KEY" in refused.err
    assert not list(mldeploy.state.rglob("*.secrets"))


def test_a_terminal_asks_without_showing_the_value(mldeploy: Command) -> None:
    with mldeploy.on_terminal("secrets", "set", "API_KEY") as terminal:
        terminal.expect("Value of API_KEY: ")
        terminal.press(f"{VALUE}\r")
        assert terminal.end() == 0
        assert VALUE not in terminal.seen
    assert "API_KEY" in mldeploy("secrets", "list").out


def test_ctrl_c_at_the_question_stores_nothing(mldeploy: Command) -> None:
    with mldeploy.on_terminal("secrets", "set", "API_KEY") as terminal:
        terminal.expect("Value of API_KEY: ")
        terminal.interrupt()
        assert terminal.end() == 130
        assert "Traceback" not in terminal.seen
    assert not list(mldeploy.state.rglob("*.secrets"))
