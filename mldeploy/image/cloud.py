"""What the image steps need of a target's clients."""

from __future__ import annotations

from typing import Protocol

from mldeploy.image.engine import Engine


class HasEngine(Protocol):
    """Any target's cloud: all of them build on an engine."""

    @property
    def engine(self) -> Engine:
        """Where images are built."""
