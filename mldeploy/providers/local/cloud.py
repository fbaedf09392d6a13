"""The clients of the local target."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from mldeploy.image.engine import Engine


@dataclass(frozen=True)
class LocalCloud:
    """The Docker Engine on this machine."""

    engine: Engine

    @property
    def machine(self) -> str:
        """The host on which the engine publishes ports; empty if that is this machine."""
        address = urlsplit(self.engine.endpoint)
        here = address.scheme in ("unix", "npipe", "http+unix") or address.hostname in ("localhost", "127.0.0.1", "::1")
        return "" if here else address.hostname or self.engine.endpoint
