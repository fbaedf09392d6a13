"""An app: its revisions, the traffic between them, and what its system log says."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mldeploy.rehearsal.azure.arm.state import ArmResource
from mldeploy.rehearsal.azure.containerapps.context import ContainerAppsContext
from mldeploy.rehearsal.azure.containerapps.ingress import RevisionIngress
from mldeploy.rehearsal.azure.containerapps.log import StreamedLog, format_time
from mldeploy.rehearsal.azure.containerapps.revision import StandInRevision
from mldeploy.rehearsal.azure.sites.front_end import SiteAddress

PORT = 80
"""The port of a container whose app has no ingress."""


@dataclass(frozen=True)
class TrafficRule:
    """A part of the traffic. revision: empty: the latest one that has been ready."""

    revision: str
    weight: int
    label: str = ""


@dataclass
class StandInApp:
    """The revisions of a resource by name, oldest first. It changes under the account's lock.

    traffic: what is routed now. latest: the newest revision; latest_ready: the newest that has been ready.
    """

    context: ContainerAppsContext
    resource: ArmResource
    address: SiteAddress
    revisions: dict[str, StandInRevision] = field(default_factory=dict)
    traffic: Sequence[TrafficRule] = ()
    latest: str = ""
    latest_ready: str = ""
    created: Mapping[str, Any] = field(default_factory=dict)
    """The template of the newest revision, to tell a change."""
    log: StreamedLog = field(default_factory=StreamedLog)

    def __post_init__(self) -> None:
        self.address.serve(RevisionIngress(self, self.choose, lambda: self.host))

    @property
    def name(self) -> str:
        return self.resource.name

    @property
    def host(self) -> str:
        """HOST:PORT of its address."""
        return self.address.host

    @property
    def configuration(self) -> Mapping[str, Any]:
        return self.resource.properties.get("configuration") or {}

    @property
    def ingress(self) -> Mapping[str, Any]:
        """Empty: the app has none."""
        return self.configuration.get("ingress") or {}

    @property
    def is_stopped(self) -> bool:
        return self.resource.properties.get("runningStatus") == "Stopped"

    @property
    def is_single(self) -> bool:
        """The newest ready revision alone is active."""
        return str(self.configuration.get("activeRevisionsMode") or "Single").lower() == "single"

    @property
    def allows_insecure(self) -> bool:
        return bool(self.ingress.get("allowInsecure"))

    @property
    def target_port(self) -> int:
        return int(self.ingress.get("targetPort") or PORT)

    @property
    def is_public(self) -> bool:
        """It answers outside of its environment."""
        return bool(self.ingress.get("external")) and not self.is_stopped

    def choose(self) -> StandInRevision | None:
        """Choose a revision by the weights, among those that are active."""
        if not self.is_public:
            return None
        weighted = [(self._resolve(each), each.weight) for each in self.traffic if each.weight]
        active = [(revision, weight) for revision, weight in weighted if revision is not None and revision.is_active]
        if not active:
            return None
        revisions, weights = zip(*active, strict=True)
        chosen: StandInRevision = random.choices(revisions, weights)[0]  # noqa: S311 - no secret
        return chosen

    def _resolve(self, rule: TrafficRule) -> StandInRevision | None:
        return self.revisions.get(rule.revision or self.latest_ready or self.latest)

    def route_revision(self, name: str) -> RevisionIngress:
        """Return the application that answers at a revision's own address."""

        def choose() -> StandInRevision | None:
            revision = self.revisions.get(name)
            return revision if revision is not None and revision.is_active and self.is_public else None

        return RevisionIngress(self, choose, lambda: self.revisions[name].host)

    def weight_of(self, name: str) -> int:
        """Return the percentage of the traffic of a revision."""
        latest = self.latest_ready or self.latest
        return sum(each.weight for each in self.traffic if (each.revision or latest) == name)

    def labels(self) -> dict[str, str]:
        """Return the revisions of the labels."""
        return {each.label: each.revision or self.latest_ready for each in self.traffic if each.label}

    def note(self, revision: str, replica: str, reason: str, message: str) -> None:
        """Write to the system log. Standard: Container Apps, "View log streams", system logs."""
        names = {"ContainerAppName": self.name, "RevisionName": revision, "ReplicaName": replica}
        kind = "Warning" if reason in ("ContainerTerminated", "ProbeFailed", "Error") else "Normal"
        entry = {"TimeStamp": format_time(), "Type": kind, **names, "Msg": message, "Reason": reason}
        self.log.write(json.dumps({**entry, "EventSource": "ContainerAppController", "Count": 1}))

    def close(self) -> None:
        """Stop everything, and release the addresses."""
        gone, self.revisions = list(self.revisions.values()), {}
        self.traffic = ()
        self.context.addresses.release(self.address)
        for each in gone:
            self.context.addresses.release(each.address)
        self.log.close()
        for each in gone:
            run_later(each.remove)


def run_later(work: Callable[[], object]) -> None:
    """Run something that takes its time, in the background."""
    threading.Thread(target=work, daemon=True).start()
