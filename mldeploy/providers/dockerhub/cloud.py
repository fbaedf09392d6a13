"""The clients of the target."""

from __future__ import annotations

from dataclasses import dataclass

from mldeploy.image.engine import Engine
from mldeploy.providers.dockerhub.account import Account


@dataclass(frozen=True)
class HubCloud:
    """A namespace, for one app, and the engine that builds for it. repository: the app's, by its name there."""

    engine: Engine
    account: Account
    app: str
    repository: str

    def path(self, repository: str) -> str:
        """What the registry calls it."""
        return f"{self.account.namespace}/{repository}"
