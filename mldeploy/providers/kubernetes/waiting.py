"""Waiting until an object is gone."""

from __future__ import annotations

from mldeploy.core.errors import LeftoversError
from mldeploy.core.monitor import Monitor
from mldeploy.providers.kubernetes.api import Kube
from mldeploy.providers.kubernetes.reading import uid_of
from mldeploy.providers.kubernetes.types import ObjectType
from mldeploy.providers.kubernetes.watching import Selection, Watch

GONE_SECONDS = 300.0


def until_gone(kube: Kube, monitor: Monitor, kind: ObjectType, name: str, namespace: str, uid: str) -> None:
    """Return once no object of this identity is there. Raises LeftoversError at the deadline, CancelledError."""
    only = Selection(kind, namespace, (("fieldSelector", f"metadata.name={name}"),))
    with Watch(kube, (only,)) as watch:
        for _ in watch.rounds(monitor, GONE_SECONDS):
            if uid not in map(uid_of, watch.seen(only)):
                return
    todo = f"`kubectl describe {kind.plural} {name}` says what holds it up (finalizers); then destroy again."
    raise LeftoversError(f"{kind.kind} {name}", f"is still there after {GONE_SECONDS:.0f} s", todo)
