"""A service that can be asked although its address leads nowhere from here."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable


@runtime_checkable
class Reachable(Protocol):
    """What `mldeploy predict` asks of a `mldeploy.providers.base.Service` first."""

    def reach(self) -> AbstractContextManager[str]:
        """A URL that leads to the app from this machine while the context is open. Raises AbsentError if none can."""
