"""The labels by which what we made in a cluster is found again.

https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/
"""

from __future__ import annotations

from dataclasses import dataclass

from mldeploy.providers.kubernetes.reading import Document, texts

APP = "mldeploy.app"
"""The app that it belongs to. Everything that mldeploy makes in a cluster bears this and the next one."""
TARGET = "mldeploy.target"
NAME = "app.kubernetes.io/name"
MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "mldeploy"


@dataclass(frozen=True)
class Owner:
    """Whose an object is: an app on a target."""

    app: str
    target: str

    @property
    def labels(self) -> dict[str, str]:
        """What everything of it bears."""
        return {NAME: self.app, MANAGED_BY: MANAGER, **self.selector}

    @property
    def selector(self) -> dict[str, str]:
        """What tells its objects from all others."""
        return {APP: self.app, TARGET: self.target}

    def owns(self, document: Document) -> bool:
        found = texts(document, "metadata", "labels")
        return all(found.get(key) == value for key, value in self.selector.items())
