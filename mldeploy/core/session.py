"""What a walk that changes things works with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic

from mldeploy.core.events import Events
from mldeploy.core.journal import Journal
from mldeploy.core.monitor import Cancel, Monitor
from mldeploy.core.step import AnyCloudT, Resource


@dataclass(frozen=True)
class Session(Generic[AnyCloudT]):
    """One command's work on one app and target: the clients, what survives a crash, the user's wish, who listens."""

    cloud: AnyCloudT
    journal: Journal
    cancel: Cancel
    events: Events

    def monitor(self, resource: Resource) -> Monitor:
        return Monitor(resource, self.events, self.cancel)
