"""One question to a server: whether it answers, and what its clock says."""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import requests

from mldeploy.doctor.network.obstacle import (
    CONNECT_SECONDS,
    CREDENTIALS,
    READ_SECONDS,
    ObstacleError,
    Stage,
    obstacle,
)
from mldeploy.doctor.pending import Pending
from mldeploy.doctor.text import without_credentials
from mldeploy.image.trust import Trusting

ASK_SECONDS = 4.0
"""For a whole question: a name server may take longer than any of its parts."""


@dataclass(frozen=True)
class Answer:
    """status: of HTTP, whatever it is. skew: seconds by which the server's clock is ahead of ours; None if not told."""

    status: int
    skew: float | None


@dataclass(frozen=True)
class Way:
    """How a question travels: whose certificates are believed, and the URL of the proxy that it goes through, or ""."""

    trust: ssl.SSLContext
    proxy: str = ""


def ask(url: str, way: Way) -> Answer:
    """GET, without reading the body. Redirects are followed. Raises ObstacleError; takes some seconds at most."""
    with requests.Session() as session:
        session.trust_env = False  # it would go its own way
        session.mount("https://", Trusting(way.trust))
        asked = time.time()
        try:
            answer = session.get(
                url,
                proxies={"http": way.proxy, "https": way.proxy} if way.proxy else {},
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                headers={"Cache-Control": "no-cache"},
                stream=True,
            )
        except (requests.RequestException, ValueError) as problem:
            raise obstacle(problem, without_credentials(way.proxy)) from problem
        with answer:
            if answer.status_code == 407:
                raise ObstacleError(Stage.PROXY, f"the proxy {without_credentials(way.proxy)} {CREDENTIALS}")
            return Answer(answer.status_code, _skew(answer.headers, (asked + time.time()) / 2))


def _skew(headers: requests.structures.CaseInsensitiveDict[str], now: float) -> float | None:
    """An answer from a cache is as old as it says (RFC 9111, Age). Half a second is what the date leaves out."""
    try:
        told = parsedate_to_datetime(headers["Date"]).timestamp()
        return told + int(headers.get("Age") or 0) + 0.5 - now
    except (KeyError, ValueError, OverflowError):
        return None


def outcome(asking: Pending[Answer]) -> Answer | ObstacleError:
    """What came of it, also if nothing came."""
    try:
        return asking.result()
    except ObstacleError as problem:
        return problem
    except TimeoutError:
        return ObstacleError(Stage.CONNECTION, f"nothing was heard within {ASK_SECONDS:g} s")
