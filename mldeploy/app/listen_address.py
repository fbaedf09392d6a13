"""Diagnosis of an app whose port cannot be reached, by the address that its server logs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mldeploy.app.causes import About, FailureDiagnosis

_LOGGED = re.compile(
    r"(?i)(?:listening at|running on|serving on):? (?:https?://)?(?P<host>\[[\da-f:.]+\]|[\w.*-]+):(?P<port>\d+)"
)
_LOOPBACK = re.compile(r"(?i)127\.[\d.]+|localhost|\[::1\]")

REFUSED = "refuses connections"
CUT = "closes connections without an answer"
SILENT = "does not respond"


@dataclass(frozen=True)
class LoggedAddress:
    """An address that a server logs when it listens."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Only processes in the same container can reach it."""
        return _LOOPBACK.fullmatch(self.host) is not None

    def reaches(self, port: int) -> bool:
        """Whether a connection from outside the container to the port reaches this address."""
        return self.port == port and not self.is_loopback

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def find_logged_address(log: Sequence[str]) -> LoggedAddress | None:
    """Return the last address that gunicorn, Flask, uvicorn or waitress logs when it listens."""
    match = next(filter(None, map(_LOGGED.search, reversed(log))), None)
    return LoggedAddress(match["host"], int(match["port"])) if match else None


def diagnose_unreachable_port(port: int, log: Sequence[str], symptom: str, *, observed: str = "") -> FailureDiagnosis:
    """Return why nothing outside of the container reaches the app on its port.

    symptom: what the port does (REFUSED, CUT, SILENT). observed: the same as a clause, by default that nothing listens.
    """
    clause, address = observed or f"nothing listens on port {port}", find_logged_address(log)
    if address is None:
        return FailureDiagnosis(clause, advise_listen_address(port), About.PORT)
    if address.port != port:
        what = f"{clause}, but something listens on {address}"
        return FailureDiagnosis(what, advise_listen_address(port), About.PORT)
    if address.is_loopback:
        what = f"it listens on {address}, which only the container itself can reach"
        return FailureDiagnosis(what, f"Let the server listen on 0.0.0.0:{port}.", About.PORT)
    what = f"the log says that it listens on {address}, but port {port} {symptom}"
    todo = "The server may have ended or hang: see its log. Otherwise check the network between it and its clients."
    return FailureDiagnosis(what, todo, About.PORT)


def advise_listen_address(port: int) -> str:
    """Return what to do if nothing listens on the app's port."""
    return f"Let the server listen on 0.0.0.0:{port} (the variable PORT says {port}), or correct `port` in [app]."


def format_wait(preposition: str, seconds: float) -> str:
    """Return ` within 9 s`, for the end of a clause; "" for a time that is too short to mention."""
    digits = ".0f" if seconds >= 1 else ".1g"
    return f" {preposition} {seconds:{digits}} s" if seconds >= 0.05 else ""
