"""What outlives a cluster and is billed: the addresses of load balancers, and disks.

https://cloud.google.com/kubernetes-engine/docs/how-to/deleting-a-cluster
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mldeploy.core.errors import LeftoversError
from mldeploy.core.monitor import Monitor
from mldeploy.providers.gcp.errors import DisabledError
from mldeploy.providers.gcp.gcloud import region_of
from mldeploy.providers.gcp.gke.clusters import listed, where
from mldeploy.providers.gcp.labels import APP
from mldeploy.providers.gcp.rest import Document

if TYPE_CHECKING:
    from mldeploy.providers.gcp.gke.cloud import GkeCloud

MADE_FOR = ("kubernetes.io/service-name", "kubernetes.io/ingress-name")
"""In a forwarding rule's description GKE says what it was made for: `namespace/name`."""
CLUSTER_LABEL = "goog-k8s-cluster-name"
"""GKE labels the disks that it makes for a cluster's volumes."""


def check(cloud: GkeCloud, cluster: str, monitor: Monitor) -> None:
    """Ask for what is left of a cluster that is gone.

    Raises LeftoversError with each thing that is billed. What could be another cluster's is only mentioned: a rule
    says for which Service it was made, not in which cluster.
    """
    try:
        rules = [each for each in cloud.compute.forwarding_rules() if _is_rule_of(cloud, each)]
        disks = [each for each in cloud.compute.disks() if _labels(each).get(CLUSTER_LABEL) == cluster]
    except DisabledError:
        return  # where Compute Engine is off, nothing of it is left
    if rules and _has_neighbours(cloud):
        names = ", ".join(str(each.get("name")) for each in rules)
        monitor.note(f"A load balancer may be left over, or another cluster's: {names}", warning=True)
        rules = []
    lines = [*_lines("forwarding-rules", rules), *_lines("disks", disks)]
    if lines:
        todo = f"Remove them, then destroy again:\n{chr(10).join(lines)}"
        raise LeftoversError(where(cluster), "is gone, and this is still there and billed", todo)


def _is_rule_of(cloud: GkeCloud, rule: Document) -> bool:
    """By our label, or by the Service that it was made for."""
    if _place(rule) not in (cloud.account.region, "global"):
        return False
    if _labels(rule).get(APP) == cloud.app:
        return True
    try:
        about = json.loads(str(rule.get("description") or "{}"))
    except ValueError:
        return False
    made_for = (str(about.get(key, "")) for key in MADE_FOR) if isinstance(about, dict) else ()
    return any(each.rpartition("/")[2] == cloud.app for each in made_for)


def _has_neighbours(cloud: GkeCloud) -> bool:
    return any(region_of(each.location) == cloud.account.region for each in listed(cloud))


def _lines(kind: str, things: list[Document]) -> Iterator[str]:
    for each in things:
        place = _place(each)
        flag = "--global" if place == "global" else f"--{'region' if place == region_of(place) else 'zone'} {place}"
        yield f"  gcloud compute {kind} delete {each.get('name')} {flag}"


def _place(thing: Document) -> str:
    """The last part of the URL of its region or zone."""
    return str(thing.get("region") or thing.get("zone") or "global").rpartition("/")[2]


def _labels(thing: Document) -> dict[str, str]:
    found = thing.get("labels")
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}
