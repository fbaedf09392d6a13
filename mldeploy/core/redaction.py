"""Known secrets, and the one filter that removes them from every text that is written about a command.

A value counts from the moment at which it is known (`remember`) until the process ends. It is removed in the forms in
which programs repeat it: as it is, quoted for a URL, JSON, HTML, a shell or Python, in base64, base32 or hexadecimal
digits, and broken over lines. What a command prints as its result is data, and does not pass the filter; messages,
progress, findings, log records and tracebacks do.
"""

from __future__ import annotations

import os
import re
import threading
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from functools import lru_cache

MARK = "[REDACTED]"
_SHORTEST = 4
"""Characters. A shorter value is a word or a number, and without it no text would make sense."""
_ANYWHERE = 6
"""From this length a value is removed inside of words, too."""
_FOLDED = 8
"""From this length a value is recognized when it is encoded, or broken over lines."""
_MOST = 4096
"""So many values are remembered; then the oldest is forgotten."""
_ORDINARY = frozenset(
    (
        *("true", "false", "none", "null", "auto", "default", "enabled", "disabled", "always", "never", "localhost"),
        *("info", "debug", "warn", "warning", "error", "critical", "notset", "trace"),
        *("prod", "production", "test", "testing", "stage", "staging", "development", "local", "mldeploy"),
        *("127.0.0.1", "http", "https", "utf-8", "c.utf-8", "flask", "python", "model"),
    )
)
"""Values that are no secret whatever variable holds them."""
_SECRET_NAME = re.compile(r"(?i)(TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY|ACCESS_KEY|PRIVATE_KEY)(_?[A-Z0-9]{0,3})$")
"""Environment variables that hold one. Those of paths end otherwise."""
_BREAK = re.compile(r"\\*\r?\n[ \t|>]*|(?:\\+r)?\\+n|\\+")
_PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")
_PATTERNS = (
    re.compile(r"(?<=://)[^\s/@:\"'<>]*:[^\s/@\"'<>]+(?=@)"),
    re.compile(r"(?i)(?<=\bbearer )[\w.~+/=-]{12,}|(?<=\bbasic )[\w+/=-]{12,}"),
    re.compile(r"(?i)(?<=[?&])(?:X-Amz-(?:Signature|Security-Token|Credential)|X-Goog-Signature|sig)=[^&\s\"']+"),
)
"""Credentials that are recognized by what stands around them: in a URL, in a header, in a signed link."""

_mutex = threading.Lock()
_values: dict[str, None] = {}


def remember(value: str) -> None:
    """Let the filter know a secret. May be repeated; what is too short or too ordinary is passed over."""
    if _counts(value):
        with _mutex:
            _values.pop(value, None)
            _values[value] = None
            if len(_values) > _MOST:
                del _values[next(iter(_values))]


def forget_all() -> None:
    """Begin a command that knows no secret yet."""
    with _mutex:
        _values.clear()


def redact(text: str, values: Iterable[str] = ()) -> str:
    """The text without the secrets that are known, without `values`, and without what looks like credentials."""
    with _mutex:
        known = tuple(_values)
    named = (value for name, value in os.environ.items() if _SECRET_NAME.search(name) and len(value) >= _FOLDED)
    secrets = {*known, *filter(_counts, (*named, *values))}
    if secrets and text:
        text = _without(text, secrets)
    for pattern in _PATTERNS:
        text = pattern.sub(MARK, text)
    return text


def redact_lines(lines: Iterable[str], values: Iterable[str] = ()) -> tuple[str, ...]:
    """The same for lines that follow one another, over whose ends a secret may go."""
    text = redact("\n".join(lines), values)
    return tuple(text.split("\n")) if text else ()


def _counts(value: str) -> bool:
    word = value.strip()
    if len(word) < _SHORTEST or word.casefold() in _ORDINARY:
        return False
    return len(word) >= _ANYWHERE or not word.isdigit()


def _without(text: str, secrets: Iterable[str]) -> str:
    folded = _Folded(text)
    spans = sorted(span for secret in secrets for form in _forms(secret) for span in _spans(text, folded, form))
    kept, end = [], 0
    for first, last in spans:
        if first >= end:
            kept += [text[end:first], MARK]
        end = max(end, last)
    return "".join((*kept, text[end:]))


def _spans(text: str, folded: _Folded, form: str) -> Iterator[tuple[int, int]]:
    """Where the form stands in the text."""
    for at in _positions(text, form):
        if len(form) >= _ANYWHERE or not _is_inside_word(text, at, at + len(form)):
            yield at, at + len(form)
    if len(form) >= _FOLDED:
        plain = _fold(form)
        for at in _positions(folded.text, plain):
            yield folded.original(at), folded.original(at + len(plain) - 1) + 1


def _positions(text: str, word: str) -> Iterator[int]:
    at = text.find(word) if word else -1
    while at >= 0:
        yield at
        at = text.find(word, at + 1)


def _is_inside_word(text: str, first: int, last: int) -> bool:
    before, behind = text[first - 1 : first], text[last : last + 1]
    return any(each.isalnum() or each == "_" for each in (before, behind))


def _fold(text: str) -> str:
    """The text without line ends, indentation and backslashes: however often it was escaped, it is the same."""
    return _upper(_BREAK.sub("", text))


def _upper(text: str) -> str:
    return _PERCENT.sub(lambda match: match[0].upper(), text)


class _Folded:
    """A folded text that knows where each of its characters comes from."""

    def __init__(self, text: str) -> None:
        pieces, self._starts, self._origins, length, end = [], [0], [0], 0, 0
        for removed in _BREAK.finditer(text):
            pieces.append(text[end : removed.start()])
            length += removed.start() - end
            end = removed.end()
            self._starts.append(length)
            self._origins.append(end)
        self.text = _upper("".join((*pieces, text[end:])))

    def original(self, at: int) -> int:
        """The position in the text of a position in the folded one."""
        piece = bisect_right(self._starts, at) - 1
        return self._origins[piece] + at - self._starts[piece]


@lru_cache(maxsize=_MOST)
def _forms(secret: str) -> tuple[str, ...]:
    """Every form in which a program may repeat it, and each line of one that has several."""
    return tuple(dict.fromkeys(form for form in _all_forms(secret) if len(form) >= _SHORTEST))


def _all_forms(secret: str) -> Iterator[str]:
    yield secret
    if (stripped := secret.strip()) != secret:
        yield stripped
    lines = secret.splitlines()
    if len(lines) > 1:
        yield from (line.strip() for line in lines if len(line.strip()) >= _FOLDED)
    if len(secret) >= _ANYWHERE:
        yield from (form for form in _encoded(secret) if len(form) >= _ANYWHERE)


def _encoded(secret: str) -> Iterator[str]:
    import html  # noqa: PLC0415 - `--help` knows no secret, and does not wait for these
    import json  # noqa: PLC0415
    import shlex  # noqa: PLC0415
    from urllib.parse import quote, quote_plus, unquote  # noqa: PLC0415

    data = secret.encode("utf-8", "surrogatepass")
    yield from (quote(data, safe=safe) for safe in ("", "/", ":/@"))
    yield from (quote_plus(data), unquote(secret), html.escape(secret), html.escape(secret, quote=False))
    yield from (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1])
    yield from (repr(secret)[1:-1], ascii(secret)[1:-1], repr(data)[2:-1])
    yield from (shlex.quote(secret), secret.replace("'", "'\"'\"'"))
    yield from (secret.replace("$", "$$"), secret.encode("unicode_escape", "surrogatepass").decode())
    yield from (data.hex(), data.hex().upper(), data.hex(":"), data.hex(" "))
    yield from (form(data) for form in (_percent_bytes, _escaped_bytes, _references))
    if len(data) >= _FOLDED:
        yield from _base64(data)
        yield from _base32(data)


def _percent_bytes(data: bytes) -> str:
    """Every byte percent-encoded, although most need not be. Standard: RFC 3986, section 2.4."""
    return "".join(f"%{each:02X}" for each in data)


def _escaped_bytes(data: bytes) -> str:
    return "".join(f"\\x{each:02x}" for each in data)


def _references(data: bytes) -> str:
    """As numeric character references. Standard: HTML, section 13.1.4."""
    return "".join(f"&#{ord(each)};" for each in data.decode("utf-8", "surrogatepass"))


def _base32(data: bytes) -> Iterator[str]:
    """Alone. Standard: RFC 4648."""
    import base64  # noqa: PLC0415

    for encode in (base64.b32encode, base64.b32hexencode):
        text = encode(data).decode()
        yield from (text, text.rstrip("="), text.lower(), text.rstrip("=").lower())


def _base64(data: bytes) -> Iterator[str]:
    """Alone and inside of something longer, where it may begin at each of three positions. Standard: RFC 4648."""
    import base64  # noqa: PLC0415

    for encode in (base64.standard_b64encode, base64.urlsafe_b64encode):
        for before in range(3):
            text = encode(b"\0" * before + data).decode()
            first = (0, 2, 3)[before]  # what stands before it decides the characters up to there
            last = len(text) - (0, 3, 2)[(before + len(data)) % 3]  # and what stands behind it, those from there
            yield text[first:last]
        yield encode(data).decode().rstrip("=")
        yield encode(data).decode()
