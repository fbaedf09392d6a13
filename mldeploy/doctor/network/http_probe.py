"""One HTTP probe of a server: its status and clock, or the cause of a failure."""

from __future__ import annotations

import contextlib
import errno
import re
import ssl
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import Enum, auto

import requests
from requests.exceptions import InvalidSchema, InvalidURL, MissingSchema, ProxyError
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError

from mldeploy.bounded_http import bounded, bounded_session
from mldeploy.doctor.context import without_credentials
from mldeploy.doctor.runner import BackgroundValue
from mldeploy.image.builders.build_request import Trusting

PROBE_SECONDS = 4.0
"""For a whole probe, including name resolution."""


@dataclass(frozen=True)
class ServerReply:
    """status: any HTTP status. skew: seconds by which the server's clock is ahead of ours; None if unknown."""

    status: int
    skew: float | None


@dataclass(frozen=True)
class ConnectionSettings:
    """The trusted certificates, and the proxy's URL, or ""."""

    trust: ssl.SSLContext
    proxy: str = ""


def probe_url(url: str, settings: ConnectionSettings) -> ServerReply:
    """GET, without reading the body. Redirects are followed. Raises ProbeError; takes some seconds at most."""
    with bounded_session(seconds=PROBE_SECONDS) as session, bounded(PROBE_SECONDS):
        session.trust_env = False  # proxies are set explicitly
        session.mount("https://", Trusting(settings.trust))
        sent = time.time()
        try:
            response = session.get(
                url,
                proxies={"http": settings.proxy, "https": settings.proxy} if settings.proxy else {},
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                headers={"Cache-Control": "no-cache"},
                stream=True,
            )
        except (requests.RequestException, ValueError) as problem:
            raise classify_failure(problem, without_credentials(settings.proxy)) from problem
        with response:
            if response.status_code == 407:
                raise ProbeError(
                    ConnectionPhase.PROXY, f"the proxy {without_credentials(settings.proxy)} {CREDENTIALS_REQUIRED}"
                )
            return ServerReply(response.status_code, _skew(response.headers, (sent + time.time()) / 2))


def _skew(headers: requests.structures.CaseInsensitiveDict[str], now: float) -> float | None:
    """Return the skew from the headers Date and Age (RFC 9111). Half a second compensates for the Date's precision."""
    try:
        date = parsedate_to_datetime(headers["Date"]).timestamp()
        return date + int(headers.get("Age") or 0) + 0.5 - now
    except (KeyError, ValueError, OverflowError):
        return None


def probe_result(pending: BackgroundValue[ServerReply]) -> ServerReply | ProbeError:
    """Return the result of a probe, a reply or an error."""
    try:
        return pending.result()
    except ProbeError as problem:
        return problem
    except TimeoutError:
        return ProbeError(ConnectionPhase.CONNECTION, f"no answer within {PROBE_SECONDS:g} s", timed_out=True)


CONNECT_SECONDS = READ_SECONDS = 3.0
CREDENTIALS_REQUIRED = "requires a user and a password"


class ConnectionPhase(Enum):
    """The phase in which a probe failed."""

    URL = auto()
    PROXY = auto()
    NAME = auto()
    CONNECTION = auto()
    TLS = auto()
    ANSWER = auto()


class ProbeError(Exception):
    """A probe failed.

    what: the cause, completes "HOST: …". untrusted: the certificate's issuer is not trusted. timed_out: a time limit of
    the probe ended it; a build waits longer.
    """

    def __init__(self, phase: ConnectionPhase, what: str, *, untrusted: bool = False, timed_out: bool = False) -> None:
        super().__init__(what)
        self.phase = phase
        self.what = what
        self.untrusted = untrusted
        self.timed_out = timed_out


def classify_failure(problem: Exception, proxy: str) -> ProbeError:
    """Return the first known cause in the exception's chain. proxy: without credentials."""
    causes = list(_chain(problem))
    if certificate := next((each for each in causes if isinstance(each, ssl.SSLCertVerificationError)), None):
        return _certificate_failure(certificate)
    if isinstance(problem, ProxyError) or proxy.startswith("socks"):
        return ProbeError(ConnectionPhase.PROXY, f"the proxy {proxy} {_proxy_failure(causes)}")
    known = ((phase, what) for kind, phase, what in _KNOWN if any(isinstance(each, kind) for each in causes))
    phase, what = next(known, (ConnectionPhase.CONNECTION, _connection_failure(causes)))
    is_silent = phase in (ConnectionPhase.CONNECTION, ConnectionPhase.ANSWER)
    return ProbeError(phase, what, timed_out=is_silent and _is_late(causes))


_KNOWN: tuple[tuple[type[Exception], ConnectionPhase, str], ...] = (
    (ssl.SSLError, ConnectionPhase.TLS, "the server on that port does not support TLS"),
    (InvalidURL, ConnectionPhase.URL, "is not a valid URL"),
    (InvalidSchema, ConnectionPhase.URL, "is not an HTTP URL"),
    (MissingSchema, ConnectionPhase.URL, "is not a URL: it does not begin with https://"),
    (NameResolutionError, ConnectionPhase.NAME, "its name cannot be resolved"),
    (
        requests.ReadTimeout,
        ConnectionPhase.ANSWER,
        f"accepts the connection, but does not answer within {READ_SECONDS:g} s",
    ),
)


def _proxy_failure(causes: Sequence[BaseException]) -> str:
    """Describe a proxy's failure. Its status is only in the exception's text."""
    if any(isinstance(each, InvalidSchema) for each in causes):
        return "uses SOCKS, which is not supported here"
    if any(isinstance(each, NameResolutionError) for each in causes):
        return "has a name that cannot be resolved"
    text = " ".join(map(str, causes))
    refusal = re.search(r"Tunnel connection failed: (\d+)", text)
    if refusal and refusal[1] == "407":
        return CREDENTIALS_REQUIRED
    return f"refuses to connect ({refusal[1]})" if refusal else _connection_failure(causes)


_REASONS = {
    errno.ECONNREFUSED: "refuses the connection",
    errno.ENETUNREACH: "is unreachable: no route to its network",
    errno.EHOSTUNREACH: "is unreachable: no route to the host",
    errno.ECONNRESET: "closes the connection",
    errno.EPIPE: "closes the connection",
}


def _connection_failure(causes: Sequence[BaseException]) -> str:
    if known := _refusal(causes):
        return known
    if _is_late(causes):
        return f"does not accept the connection within {CONNECT_SECONDS:g} s"
    return "does not answer with HTTP"


def _is_late(causes: Sequence[BaseException]) -> bool:
    """Whether a time limit ended the probe. urllib3's error of a refused connection is a ConnectTimeoutError, too."""
    late = any(isinstance(each, TimeoutError | ConnectTimeoutError | requests.ReadTimeout) for each in causes)
    return late and not _refusal(causes)


def _refusal(causes: Sequence[BaseException]) -> str:
    """Return what the operating system says of the connection; "" if nothing."""
    numbers = (each.errno for each in causes if isinstance(each, OSError))
    return next((_REASONS[number] for number in numbers if number in _REASONS), "")


def _certificate_failure(problem: ssl.SSLCertVerificationError) -> ProbeError:
    """Describe OpenSSL's error: 9 and 10 are the time, 62 and 64 the name, others the issuer (X509_V_ERR_…)."""
    match problem.verify_code:
        case 9:
            what = "its certificate is not valid yet: is this machine's clock right?"
        case 10:
            what = "its certificate has expired, or this machine's clock is wrong"
        case 62 | 64:
            what = "its certificate is for another name"
        case _:
            return ProbeError(
                ConnectionPhase.TLS, f"its certificate is not trusted ({problem.verify_message})", untrusted=True
            )
    return ProbeError(ConnectionPhase.TLS, what)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the error and its causes. requests and urllib3 wrap them differently."""
    seen: set[int] = set()
    pending = [error]
    while pending:
        each = pending.pop(0)
        if not isinstance(each, BaseException) or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        with contextlib.suppress(AttributeError):
            pending.append(each.reason)  # type: ignore[attr-defined]  # urllib3's MaxRetryError has one
        pending += [*(arg for arg in each.args if isinstance(arg, BaseException)), each.__cause__, each.__context__]


_REMEDIES = {
    ConnectionPhase.URL: "Correct it.",
    ConnectionPhase.PROXY: "Correct the proxy, or add the host to NO_PROXY.",
    ConnectionPhase.NAME: "Check the name and this machine's network. Behind a proxy, set HTTPS_PROXY.",
    ConnectionPhase.CONNECTION: "Check this machine's network. Behind a proxy, set HTTPS_PROXY.",
    ConnectionPhase.TLS: "Ask the administrator of the server, or of the proxy before it, to fix it.",
    ConnectionPhase.ANSWER: "Try again later.",
}


def suggest_fix(problem: ProbeError) -> str:
    """Return what to do about a failed probe."""
    if problem.untrusted:
        return "If your company inspects TLS, set `ca_bundle` in [build] to the PEM file of its CA."
    return _REMEDIES[problem.phase]
