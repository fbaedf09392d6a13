"""Whose certificates are believed: inside a build, and on this machine."""

from __future__ import annotations

import contextlib
import os
import ssl
from collections.abc import Iterator, Mapping
from enum import Enum, auto
from pathlib import Path

import certifi

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
