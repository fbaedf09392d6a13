"""Whose certificates are believed: inside a build, and on this machine."""

from __future__ import annotations

import contextlib
import os
import ssl
from collections.abc import Iterator, Mapping
from enum import Enum, auto
from pathlib import Path
from typing import Any

import certifi
from requests.adapters import HTTPAdapter

_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "PIP_CERT", "NODE_EXTRA_CA_CERTS")
"""Where companies' set-ups name their own authority, PEM files all."""


class Trust(Enum):
    """BUILD is what pip and uv believe in a container; MACHINE is that and what this machine adds to it."""

    BUILD = auto()
    MACHINE = auto()


def context(trust: Trust, ca_bundle: Path | None) -> ssl.SSLContext:
    """A context that verifies. ca_bundle: the project's own. Raises ssl.SSLError, OSError if that is no PEM file."""
    made = ssl.create_default_context() if trust is Trust.MACHINE else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.load_verify_locations(certifi.where())
    if ca_bundle:
        made.load_verify_locations(ca_bundle)
    for bundle in machine_bundles() if trust is Trust.MACHINE else ():
        with contextlib.suppress(OSError):  # ssl.SSLError is one; what this machine's programs say of it is theirs
            made.load_verify_locations(bundle)
    return made


def machine_bundles(environment: Mapping[str, str] = os.environ) -> Iterator[Path]:
    """The files in which this machine's own authorities stand, the most particular first."""
    named = [environment.get(name, "") for name in _VARIABLES] + [ssl.get_default_verify_paths().cafile or ""]
    yield from dict.fromkeys(path for name in named if name and (path := Path(name)).is_file())


class Trusting(HTTPAdapter):
    """Verifies with a context of ours, also behind a proxy."""

    def __init__(self, trust: ssl.SSLContext) -> None:
        self._trust = trust
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=self._trust)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        return super().proxy_manager_for(proxy, **kwargs, ssl_context=self._trust)
