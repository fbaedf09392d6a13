"""Where a platform answers, and with whose credentials: its public services with the user's own, or a stand-in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mldeploy.config.secret import Secret


@dataclass(frozen=True)
class Endpoints:
    """What differs when a platform is not the public one with the user's own credentials.

    url: the base URL of every service of the platform; empty: the public ones. credentials: by the platform's own names
    ("aws_access_key_id"); empty: those that the user has. region: where the stand-in plays; empty: the user's choice.
    ca_bundle: PEM file that is trusted besides the usual authorities.
    """

    url: str = ""
    credentials: tuple[tuple[str, Secret], ...] = ()
    region: str = ""
    ca_bundle: Path | None = None


PUBLIC = Endpoints()
"""The real thing."""
