"""Labels, metadata and quantities of the objects that mldeploy creates in a cluster.

https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mldeploy.providers.kubernetes.documents import MANAGER, Document, texts

APP = "mldeploy.app"
"""The app's name. All objects that mldeploy creates in a cluster have this label and the next one."""
TARGET = "mldeploy.target"
TRIAL = "mldeploy.trial"
"""Replaces `mldeploy.app` on a trial pod, so that no Service, autoscaler or Deployment selects it."""
CANARY = "mldeploy.canary"
"""Replaces `mldeploy.app` on the pods of a canary, so that they get no requests before their share is set."""
NAME = "app.kubernetes.io/name"
MANAGED_BY = "app.kubernetes.io/managed-by"
RESERVED_PREFIX = "mldeploy."
RESERVED_LABELS = (NAME, MANAGED_BY, "app.kubernetes.io/component", "pod-template-hash")
"""Labels that mldeploy or a controller sets."""


@dataclass(frozen=True)
class Owner:
    """The owner of an object: an app on a target."""

    app: str
    target: str

    @property
    def labels(self) -> dict[str, str]:
        """The labels of all its objects."""
        return {NAME: self.app, MANAGED_BY: MANAGER, **self.selector}

    @property
    def selector(self) -> dict[str, str]:
        """The labels that select its objects."""
        return {APP: self.app, TARGET: self.target}

    @property
    def trial(self) -> dict[str, str]:
        """The labels that select its trial pod."""
        return {TRIAL: self.app, TARGET: self.target}

    @property
    def trial_labels(self) -> dict[str, str]:
        """The labels of the trial pod. With the app's name, so that the app's network policies apply to it."""
        return {NAME: self.app, MANAGED_BY: MANAGER, **self.trial}

    @property
    def canary(self) -> dict[str, str]:
        """The labels that select the pods of its canary."""
        return {CANARY: self.app, TARGET: self.target}

    @property
    def canary_labels(self) -> dict[str, str]:
        """The labels of the pods of its canary."""
        return {NAME: self.app, MANAGED_BY: MANAGER, **self.canary}

    @property
    def both(self) -> dict[str, str]:
        """The labels that select the pods of the serving version and of the canary."""
        return {NAME: self.app, MANAGED_BY: MANAGER, TARGET: self.target}

    def owns(self, document: Document) -> bool:
        """Whether an object belongs to this owner; trial pods and the pods of a canary do."""
        labels = texts(document, "metadata", "labels").items()
        return any(each.items() <= labels for each in (self.selector, self.trial, self.canary))


_UNITS = (
    *(("Ti", 2**40), ("Gi", 2**30), ("Mi", 2**20), ("Ki", 2**10)),
    *(("T", 10**12), ("G", 10**9), ("M", 10**6), ("k", 10**3)),
)
_NOTHING: Mapping[str, str] = MappingProxyType({})


def object_metadata(
    owner: Owner,
    name: str,
    namespace: str = "",
    *,
    labels: Mapping[str, str] = _NOTHING,
    annotations: Mapping[str, str] = _NOTHING,
) -> Document:
    """Return an object's metadata, with the owner's labels."""
    namespace_field = {"namespace": namespace} if namespace else {}
    notes = {"annotations": dict(annotations)} if annotations else {}
    return {"name": name, **namespace_field, "labels": {**labels, **owner.labels}, **notes}


def cpu_quantity(count: float) -> str:
    """Format CPUs as the API server does: `500m`, `2`."""
    thousandths = max(1, round(count * 1000))
    return f"{thousandths}m" if thousandths % 1000 else str(thousandths // 1000)


def memory_quantity(count: int) -> str:
    """Format bytes as the API server does: `512Mi`."""
    return next((f"{count // unit}{name}" for name, unit in _UNITS if count % unit == 0), str(count))
