"""`mldeploy keys`: what is printed, once and again, and what is refused before anything changes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.command import Command

pytestmark = pytest.mark.engine


@pytest.fixture
def keyed(mldeploy: Command) -> Command:
    """A folder whose app requires a key, and is deployed nowhere."""
    file = mldeploy.folder / "mldeploy.toml"
    file.write_text(file.read_text().replace("[app]\n", '[app]\naccess = "key"\n', 1))
    return mldeploy


def names(document: dict[str, Any]) -> list[str]:
    return [each["name"] for each in document["keys"]]


def test_keys_are_made_listed_shown_and_revoked(keyed: Command) -> None:
    assert "has no access key on local" in keyed("keys", "list").out
    first = keyed("keys", "create", "first", "--json").document
    assert (names(first), first["active"]) == (["first"], False)
    value = str(first["value"])
    assert value.startswith("mldk_")
    second = keyed("keys", "create", "second")
    assert "second is created for" in second.out
    assert "mldeploy deploy" in second.out
    listed = keyed("keys", "list")
    assert value not in listed.out + listed.err
    assert keyed("keys", "list", "--json").document["value"] is None
    assert keyed("keys", "show", "first").out == f"{value}\n"
    revoked = keyed("keys", "revoke", "first", "--json").document
    assert (names(revoked), revoked["value"]) == (["second"], None)
    files = [each.read_bytes() for each in keyed.state.rglob("*") if each.is_file()]
    assert not any(value.encode() in each for each in files)


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        (("list", "name"), 2, "takes no name"),
        (("create",), 2, "needs the name of a key"),
        (("revoke",), 2, "needs the name of a key"),
        (("list", "--no-deploy"), 2, "is for `create` and `revoke`"),
        (("create", "Not valid"), 3, "is not a valid name"),
        (("show",), None, "has no access key on local"),
        (("revoke", "other"), None, "has no access key on local"),
        (("list", "--target", "ecr"), 2, "keeps no secrets"),
    ],
)
def test_what_cannot_be_done_is_refused(keyed: Command, words: tuple[str, ...], code: int | None, what: str) -> None:
    refused = keyed("keys", *words)
    assert refused.code == code if code else refused.code not in (0, 1)
    assert what in refused.err
    assert "Traceback" not in refused.err
    assert not list(keyed.state.rglob("*.secrets"))


def test_the_last_key_stays_and_a_name_is_used_once(keyed: Command) -> None:
    assert keyed("keys", "create", "only").code == 0
    assert "is the only one" in keyed("keys", "revoke", "only").err
    assert "exists" in keyed("keys", "create", "only").err
    assert "There are: only" in keyed("keys", "revoke", "other").err


def test_a_public_app_has_no_keys(mldeploy: Command) -> None:
    refused = mldeploy("keys", "create", "first")
    assert refused.code == 3
    assert 'is "public", so the app asks for no key' in refused.err
