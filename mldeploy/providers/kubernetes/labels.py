"""The labels by which what we made in a cluster is found again.

https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/
"""

from __future__ import annotations

from dataclasses import dataclass

from mldeploy.providers.kubernetes.reading import Document, texts

APP = "mldeploy.app"
"""The app that it belongs to. Everything that mldeploy makes in a cluster bears this and the next one."""
TARGET = "mldeploy.target"
TRIAL = "mldeploy.trial"
"""Instead of the first one, on a pod in which a version is tried: nothing that leads to the app's pods, counts them or
keeps their number sees it."""
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

    @property
    def trial(self) -> dict[str, str]:
        """What tells the pod in which a version of it is tried from all others."""
        return {TRIAL: self.app, TARGET: self.target}

    @property
    def trial_labels(self) -> dict[str, str]:
        """What that pod bears. By its name a rule for the app's network holds for it, too."""
        return {NAME: self.app, MANAGED_BY: MANAGER, **self.trial}

    def owns(self, document: Document) -> bool:
        """Whether it is one of its objects, the pod of a trial among them."""
        found = texts(document, "metadata", "labels").items()
        return self.selector.items() <= found or self.trial.items() <= found
