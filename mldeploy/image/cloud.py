"""What the image steps need of a target's clients, and the clients of whoever needs no more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from mldeploy.image.engine import Engine


class HasEngine(Protocol):
    """Any target's cloud: all of them build on an engine."""

    @property
    def engine(self) -> Engine:
        """Where images are built."""


@dataclass(frozen=True)
class EngineCloud:
    """The Docker Engine alone."""

    engine: Engine

    @property
    def machine(self) -> str:
        """The host on which the engine publishes ports; empty if that is this machine."""
        address = urlsplit(self.engine.endpoint)
        here = address.scheme in ("unix", "npipe", "http+unix") or address.hostname in ("localhost", "127.0.0.1", "::1")
        return "" if here else address.hostname or self.engine.endpoint

    @property
    def place(self) -> tuple[str, ...]:
        """One journal for this machine; an engine elsewhere has one of its own."""
        return (self.machine,) if self.machine else ()
