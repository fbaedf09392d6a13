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
    ca_bundle: PEM file that is trusted besides the usual authorities. services: where those answer that are elsewhere
    than at `url`, by the provider's own names.
    """

    url: str = ""
    credentials: tuple[tuple[str, Secret], ...] = ()
    region: str = ""
    ca_bundle: Path | None = None
    services: tuple[tuple[str, str], ...] = ()

    def service(self, name: str) -> str:
        """Where a service answers: its own address, or that of all."""
        return dict(self.services).get(name, self.url)

    def credential(self, name: str) -> Secret | None:
        """One of the credentials, if there is one of this name."""
        return dict(self.credentials).get(name)


PUBLIC = Endpoints()
"""The real thing."""
