"""Forwarding rules, target pools and disks. https://cloud.google.com/compute/docs/reference/rest/v1"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from mldeploy.rehearsal.door.interface import Thing

BASE = "https://www.googleapis.com/compute/v1"
RULES, POOLS, DISKS = "forwardingRules", "targetPools", "disks"


@dataclass(frozen=True)
class Piece:
    """One thing. kind: as a path names it, `forwardingRules`. place: `regions/us-central1`. more: its kind's fields."""

    kind: str
    place: str
    name: str
    more: Mapping[str, object] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    description: str = ""

    @property
    def path(self) -> str:
        return f"{self.place}/{self.kind}/{self.name}"

    @property
    def thing(self) -> Thing:
        return Thing(f"compute:{self.kind.removesuffix('s')}", self.name, dict(self.labels))

    def described(self, project: str) -> Mapping[str, object]:
        """As the API says it."""
        scope, _, name = self.place.partition("/")
        return {
            "kind": f"compute#{self.kind.removesuffix('s')}",
            "id": str(uuid.uuid5(uuid.NAMESPACE_URL, self.path).int >> 65),
            "name": self.name,
            "description": self.description,
            "labels": dict(self.labels),
            scope.removesuffix("s"): f"{BASE}/projects/{project}/{scope}/{name}",
            "selfLink": f"{BASE}/projects/{project}/{self.path}",
            **self.more,
        }


def balancer(region: str, uid: str, service: str, address: str, port: int) -> Iterator[Piece]:
    """What GKE makes for a Service of type LoadBalancer. uid: the Service's. service: `namespace/name`."""
    name = f"a{uid.replace('-', '')}"[:32]
    place, description = f"regions/{region}", json.dumps({"kubernetes.io/service-name": service})
    rule = {
        "IPAddress": address,
        "IPProtocol": "TCP",
        "portRange": f"{port}-{port}",
        "loadBalancingScheme": "EXTERNAL",
        "networkTier": "PREMIUM",
        "target": f"{BASE}/projects/-/{place}/{POOLS}/{name}",
    }
    yield Piece(RULES, place, name, rule, description=description)
    yield Piece(POOLS, place, name, {"sessionAffinity": "NONE"}, description=description)


def boot_disk(zone: str, node: str, labels: Mapping[str, str], gigabytes: int) -> Piece:
    """What a node of a cluster boots from; the cluster's labels are handed on to it."""
    more = {
        "sizeGb": str(gigabytes),
        "status": "READY",
        "type": f"{BASE}/projects/-/zones/{zone}/diskTypes/pd-balanced",
    }
    return Piece(DISKS, f"zones/{zone}", node, more, labels)
