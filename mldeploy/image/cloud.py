"""The clients that the image steps need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from mldeploy.image.engine import Engine


class HasEngine(Protocol):
    """The clients of any target: all build on an engine."""

    @property
    def engine(self) -> Engine:
        """The engine that builds images."""


@dataclass(frozen=True)
class EngineCloud:
    """The Docker Engine only."""

    engine: Engine

    @property
    def machine(self) -> str:
        """The host on which the engine publishes ports; empty if that is this machine."""
        address = urlsplit(self.engine.endpoint)
        here = address.scheme in ("unix", "npipe", "http+unix") or address.hostname in ("localhost", "127.0.0.1", "::1")
        return "" if here else address.hostname or self.engine.endpoint

    @property
    def place(self) -> tuple[str, ...]:
        """Part of the journal's name; empty for this machine's engine."""
        return (self.machine,) if self.machine else ()
