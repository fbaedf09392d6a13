"""Why a server could not be asked: at which stage it failed, and what to do about it."""

from __future__ import annotations

import contextlib
import errno
import re
import ssl
from collections.abc import Iterator, Sequence
from enum import Enum, auto

import requests
from requests.exceptions import InvalidSchema, InvalidURL, MissingSchema, ProxyError
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError

CONNECT_SECONDS = READ_SECONDS = 3.0
CREDENTIALS = "wants a user and a password"


class Stage(Enum):
    """How far a question came."""

    URL = auto()
    PROXY = auto()
    NAME = auto()
    CONNECTION = auto()
    TLS = auto()
    ANSWER = auto()


class ObstacleError(Exception):
    """No answer. what: why, in words that complete "HOST: …". untrusted: its certificate's issuer is not believed."""

    def __init__(self, stage: Stage, what: str, *, untrusted: bool = False) -> None:
        super().__init__(what)
        self.stage = stage
        self.what = what
        self.untrusted = untrusted


def obstacle(problem: Exception, proxy: str) -> ObstacleError:
    """The first cause in the chain that we know a word for. proxy: without credentials."""
    causes = list(_chain(problem))
    if certificate := next((each for each in causes if isinstance(each, ssl.SSLCertVerificationError)), None):
        return _certificate(certificate)
    if isinstance(problem, ProxyError) or proxy.startswith("socks"):
        return ObstacleError(Stage.PROXY, f"the proxy {proxy} {_of_proxy(causes)}")
    known = ((stage, what) for kind, stage, what in _KNOWN if any(isinstance(each, kind) for each in causes))
    stage, what = next(known, (Stage.CONNECTION, _of_connection(causes)))
    return ObstacleError(stage, what)


_KNOWN: tuple[tuple[type[Exception], Stage, str], ...] = (
    (ssl.SSLError, Stage.TLS, "what answers on that port does not speak TLS"),
    (InvalidURL, Stage.URL, "is no URL that can be asked"),
    (InvalidSchema, Stage.URL, "is no URL of the web"),
    (MissingSchema, Stage.URL, "is no URL: it does not begin with https://"),
    (NameResolutionError, Stage.NAME, "its name cannot be resolved"),
    (requests.ReadTimeout, Stage.ANSWER, f"accepts the connection, but does not answer within {READ_SECONDS:g} s"),
)


def _of_proxy(causes: Sequence[BaseException]) -> str:
    """What a proxy did instead of making a tunnel; its status is only in the text of the exception."""
    if any(isinstance(each, InvalidSchema) for each in causes):
        return "speaks SOCKS, which is not understood here"
    if any(isinstance(each, NameResolutionError) for each in causes):
        return "has a name that cannot be resolved"
    said = " ".join(map(str, causes))
    refusal = re.search(r"Tunnel connection failed: (\d+)", said)
    if refusal and refusal[1] == "407":
        return CREDENTIALS
    return f"refuses to connect ({refusal[1]})" if refusal else _of_connection(causes)


_REASONS = {
    errno.ECONNREFUSED: "refuses the connection",
    errno.ENETUNREACH: "cannot be reached: there is no way to its network",
    errno.EHOSTUNREACH: "cannot be reached: there is no way to it",
    errno.ECONNRESET: "cuts the connection",
    errno.EPIPE: "cuts the connection",
}


def _of_connection(causes: Sequence[BaseException]) -> str:
    numbers = (each.errno for each in causes if isinstance(each, OSError))
    if known := next((_REASONS[number] for number in numbers if number in _REASONS), ""):
        return known
    late = any(isinstance(each, TimeoutError | ConnectTimeoutError) for each in causes)
    return f"does not accept the connection within {CONNECT_SECONDS:g} s" if late else "does not speak HTTP"


def _certificate(problem: ssl.SSLCertVerificationError) -> ObstacleError:
    """OpenSSL's reasons: 9 and 10 are of time, 62 and 64 of the name, all else of who signed it (X509_V_ERR_…)."""
    match problem.verify_code:
        case 9:
            what = "its certificate is not valid yet: is this machine's clock right?"
        case 10:
            what = "its certificate has expired, or this machine's clock is wrong"
        case 62 | 64:
            what = "its certificate is for another name"
        case _:
            return ObstacleError(
                Stage.TLS, f"its certificate is not trusted ({problem.verify_message})", untrusted=True
            )
    return ObstacleError(Stage.TLS, what)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and everything that it was made of; requests and urllib3 wrap in different ways."""
    seen: set[int] = set()
    open_ends = [error]
    while open_ends:
        each = open_ends.pop(0)
        if not isinstance(each, BaseException) or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        with contextlib.suppress(AttributeError):
            open_ends.append(each.reason)  # type: ignore[attr-defined]  # urllib3's MaxRetryError has one
        open_ends += [*(arg for arg in each.args if isinstance(arg, BaseException)), each.__cause__, each.__context__]


_REMEDIES = {
    Stage.URL: "Correct it.",
    Stage.PROXY: "Correct the proxy, or name the host among those that need none (NO_PROXY).",
    Stage.NAME: "Check the name, and whether this machine is online. Where only a proxy gets out, set HTTPS_PROXY.",
    Stage.CONNECTION: "Check whether this machine is online. Where only a proxy gets out, set HTTPS_PROXY.",
    Stage.TLS: "Ask whoever runs it, or the proxy before it, to put that right.",
    Stage.ANSWER: "Try again later.",
}


def remedy(problem: ObstacleError) -> str:
    """What to do about an obstacle."""
    if problem.untrusted:
        return "If your company inspects TLS, set `ca_bundle` in [build] to the PEM file of its authority."
    return _REMEDIES[problem.stage]
