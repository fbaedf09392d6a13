"""The check of access keys, in our image and in the proxy of a local app: never imported by mldeploy.

It needs the standard library of Python 3.9 alone. Comparisons take the same time whatever is sent.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import mmap
import time
from typing import NamedTuple

SLOTS = 64
"""Keys whose rate can be counted."""
MAX_KEY = 512
"""Characters of a key; a longer one is wrong."""
_BILLION = 1_000_000_000
_CHALLENGE = 'Bearer realm="mldeploy"'


class Denial(NamedTuple):
    """Why a request is not served: the response to it."""

    status: int
    reason: str
    message: str
    headers: tuple[tuple[str, str], ...] = ()

    def body(self) -> bytes:
        """JSON."""
        return json.dumps({"error": self.message}).encode() + b"\n"


MISSING = Denial(
    401,
    "Unauthorized",
    "an access key is required: send it as `Authorization: Bearer KEY` or `X-API-Key: KEY`",
    (("WWW-Authenticate", _CHALLENGE),),
)
INVALID = Denial(
    401,
    "Unauthorized",
    "the access key is not valid",
    (("WWW-Authenticate", f'{_CHALLENGE}, error="invalid_token"'),),
)
UNCONFIGURED = Denial(503, "Service Unavailable", "no access keys are configured")


def parse_digests(text: str) -> tuple[bytes, ...]:
    """The SHA-256 digests in a text: hexadecimal, with spaces between. One that is malformed makes all void."""
    try:
        digests = tuple(bytes.fromhex(word) for word in text.split())
    except ValueError:
        return ()
    return digests if all(len(each) == hashlib.sha256().digest_size for each in digests) else ()


def parse_rate(text: str) -> float:
    """Requests a second, 0 for no limit. What is no number limits all of them: nobody meant to have no limit."""
    try:
        rate = float(text or 0)
    except ValueError:
        return math.ulp(0.0)
    return rate if math.isfinite(rate) and rate > 0 else 0.0


class KeyCheck:
    """Admits requests with one of the keys, as many a second as the rate says.

    The counters are in memory that processes share which are forked later, so the limit holds for all of them.
    """

    def __init__(self, digests: str, rate: str = "") -> None:
        self._digests = parse_digests(digests)
        self._rate = parse_rate(rate)
        self._due = memoryview(mmap.mmap(-1, 8 * SLOTS)).cast("q")

    def check(self, authorization: str, key: str) -> Denial | None:
        """What to answer to a request with these header fields; None if it may pass, which is counted."""
        denial, number = self._authenticate(authorization, key)
        return denial or self._count(number)

    def authenticate(self, authorization: str, key: str) -> Denial | None:
        """The same without its rate."""
        return self._authenticate(authorization, key)[0]

    def _authenticate(self, authorization: str, key: str) -> tuple[Denial | None, int]:
        if not self._digests:
            return UNCONFIGURED, -1
        sent = [each for each in (_bearer(authorization), key.strip()) if each]
        number = max(map(self._find, sent), default=-1)
        if number >= 0:
            return None, number
        return (INVALID if sent else MISSING), -1

    def holds_key(self, authorization: str, key: str = "") -> bool:
        """Whether header fields hold one of the keys."""
        return any(self._find(each) >= 0 for each in (_bearer(authorization), key.strip()) if each)

    def _find(self, key: str) -> int:
        """The number of a key; -1 if it is none. All are compared, so that the time tells nothing."""
        given = hashlib.sha256(key[: MAX_KEY + 1].encode("utf-8", "surrogatepass")).digest()
        found = -1
        for number, digest in enumerate(self._digests):
            if hmac.compare_digest(given, digest):
                found = number
        return found

    def _count(self, number: int) -> Denial | None:
        """Count a request (GCRA): a second's worth may come at once. Two processes may rarely admit one too many."""
        if not self._rate:
            return None
        every = min(_BILLION * 3600, int(_BILLION / self._rate))
        now, slot = time.monotonic_ns(), number % SLOTS
        due = max(now, self._due[slot])
        ahead = max(0, _BILLION - every)
        if due - now > ahead:
            seconds = max(1, math.ceil((due - now - ahead) / _BILLION))
            message = f"more than {self._rate:g} requests per second with this key"
            return Denial(429, "Too Many Requests", message, (("Retry-After", str(seconds)),))
        self._due[slot] = due + every
        return None


def _bearer(authorization: str) -> str:
    """The token of RFC 6750, section 2.1; "" for another scheme."""
    scheme, _, token = authorization.strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
