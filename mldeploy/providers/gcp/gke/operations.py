"""Operations of Kubernetes Engine: what takes minutes, and may fail after them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from google.cloud.container_v1 import types

from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.providers.gcp.calls import call
from mldeploy.providers.gcp.errors import AGAIN, GcpError, gcp_errors
from mldeploy.providers.gcp.waiting import paced

if TYPE_CHECKING:
    from mldeploy.providers.gcp.gke.cloud import GkeCloud

_DONE = types.Operation.Status.DONE
_CAUSES = (
    (
        r"(?i)quota|RESOURCE_EXHAUSTED.*limit",
        "Ask for more (console: IAM & Admin, Quotas), use fewer or smaller nodes, or another region.",
    ),
    (
        r"(?i)stockout|does not have enough resources|ZONE_RESOURCE_POOL_EXHAUSTED",
        "Google has no machines of that kind there now: try later, or another zone or `machine_type`.",
    ),
    (
        r"(?i)network .*(?:not found|does not exist)|no default network|default network",
        "The project has no such network: name one with `network` in [target.gke].",
    ),
    (
        r"(?i)service account|actAs",
        "See `node_service_account` in [target.gke]: it must exist, and you must be allowed to act as it.",
    ),
)


def finish(cloud: GkeCloud, monitor: Monitor, operation: types.Operation, within: float) -> None:
    """Wait for it. Raises GcpError if it failed, or at the deadline; CancelledError on a stop: it goes on by itself."""
    name = f"projects/{cloud.account.project}/locations/{cloud.account.location}/operations/{operation.name}"
    what = operation.operation_type.name.replace("_", " ").lower()
    for elapsed in paced(monitor, within):
        with gcp_errors(f"operation {operation.name}", "container.operations.get"):
            request = types.GetOperationRequest(name=name)
            found = call(cloud.account.identity, cloud.clusters.get_operation, request)
        if found.status == _DONE:
            if found.error.code:
                raise failure(what, found.error.message or found.status_message)
            return
        monitor.progress(Progress("", f"{what}: {found.detail or 'Google is at it'}, {elapsed:.0f} s"))
    raise GcpError(what, f"has not ended after {within:.0f} s", AGAIN)


def failure(what: str, said: str) -> GcpError:
    """Why it failed, and what to do where the words tell."""
    reason = " ".join(said.split()).rstrip(".") or "Google gives no reason"
    todo = next((remedy for pattern, remedy in _CAUSES if re.search(pattern, reason)), AGAIN)
    return GcpError(what, f"failed: {reason}", todo)
