"""A secret that is known is in no text that passes the filter, in whatever form a program repeats it."""

from __future__ import annotations

import base64
import html
import json
import shlex
from collections.abc import Callable, Iterator
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mldeploy.config.secret import Secret
from mldeploy.core.redaction import MARK, forget_all, redact, redact_lines, remember

SECRET = "pä/ss w'o\"r$d+\\%&<{}-4711"
FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "url": lambda value: quote(value, safe=""),
    "url path": quote,
    "url, small letters": lambda value: quote(value, safe="").replace("%2F", "%2f"),
    "form": quote_plus,
    "json": json.dumps,
    "json, unicode": lambda value: json.dumps(value, ensure_ascii=False),
    "json in json": lambda value: json.dumps(json.dumps(value)),
    "repr": repr,
    "ascii": ascii,
    "bytes": lambda value: repr(value.encode()),
    "shell": shlex.quote,
    "html": html.escape,
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64 url": lambda value: base64.urlsafe_b64encode(value.encode()).decode(),
    "basic auth": lambda value: base64.b64encode(f"user:{value}".encode()).decode(),
    "basic auth, 2": lambda value: base64.b64encode(f"us:{value}:x".encode()).decode(),
    "base32": lambda value: base64.b32encode(value.encode()).decode(),
    "base32, small letters": lambda value: base64.b32encode(value.encode()).decode().rstrip("=").lower(),
    "hex": lambda value: value.encode().hex(),
    "hex dump": lambda value: value.encode().hex(" "),
    "every byte of a url": lambda value: "".join(f"%{each:02X}" for each in value.encode()),
    "every byte of a url, small letters": lambda value: "".join(f"%{each:02x}" for each in value.encode()),
    "every byte escaped": lambda value: "".join(f"\\x{each:02x}" for each in value.encode()),
    "html numbers": lambda value: "".join(f"&#{ord(each)};" for each in value),
    "in a url": lambda value: f"https://user:{quote(value, safe='')}@host/simple",
    "traceback": lambda value: repr(ValueError(f"cannot read {value!r}")),
    "over lines": lambda value: f"{value[:9]}\n    {value[9:]}",
    "over lines of yaml": lambda value: f"{value[:9]}\\\n  {value[9:]}",
}


@pytest.fixture(autouse=True)
def _nothing_known() -> Iterator[None]:
    forget_all()
    yield
    forget_all()


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_removed(form: str) -> None:
    secret, shown = Secret(SECRET), FORMS[form](SECRET)
    text = redact(f"before {shown} behind")
    assert MARK in text
    assert text.startswith("before ")
    assert text.endswith(" behind")
    assert not [each for each in (SECRET[:8], "4711") if each in text]
    assert str(secret) == MARK


@settings(deadline=None)
@given(st.text(min_size=8), st.text(), st.text())
def test_a_long_secret_is_removed_wherever_it_stands(secret: str, before: str, behind: str) -> None:
    if len(secret.strip()) >= 8:
        assert secret not in redact(f"{before}{secret}{behind}", [secret]) or secret in MARK


@pytest.mark.parametrize("word", ["", "a", "abc", "42", "8080", "true", "info", "warning", "production", "localhost"])
def test_what_is_short_or_ordinary_is_no_secret(word: str) -> None:
    remember(word)
    text = f"warning: port 8080 in production on localhost: true, info, abc, a, 42 {word}"
    assert redact(text) == text


def test_a_short_secret_is_removed_as_a_word_alone() -> None:
    remember("abcd")
    assert redact("abcd, abcde xabcd (abcd)") == f"{MARK}, abcde xabcd ({MARK})"


def test_what_is_declared_public_stays() -> None:
    Secret("https://registry.example", is_public=True)
    assert redact("pull from https://registry.example") == "pull from https://registry.example"


def test_each_line_of_a_key_is_removed() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END KEY-----\n"
    remember(key)
    assert redact("2026-01-01 MIIEvQIBADANBgkq") == f"2026-01-01 {MARK}"
    assert redact_lines(key.splitlines()) == (MARK,)


def test_a_secret_over_two_log_lines() -> None:
    assert redact_lines(("the key is pass", "word-4711, really"), ["password-4711"]) == (f"the key is {MARK}, really",)


@pytest.mark.parametrize(
    "text",
    [
        "git clone https://user:hunter22@host/x",
        "Authorization: Bearer abcdefghijklmnop",
        "authorization: basic dXNlcjpwYXNzd29yZA==",
        "https://bucket/x?X-Amz-Signature=hunter22&y=1",
        "https://blob/x?sv=1&sig=hunter22",
    ],
)
def test_credentials_that_nobody_announced(text: str) -> None:
    shown = redact(text)
    assert MARK in shown
    assert not [each for each in ("hunter22", "abcdefghijklmnop", "dXNlcjpwYXNzd29yZA") if each in shown]


def test_a_token_in_our_own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_TOKEN", "t0ken-of-mine")
    assert redact("it said t0ken-of-mine") == f"it said {MARK}"
