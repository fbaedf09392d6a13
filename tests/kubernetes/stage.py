"""The cluster on paper as a stage for the conformance suite."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mldeploy.config.endpoints import Endpoints
from mldeploy.providers.base import Provider
from mldeploy.providers.kubernetes.cloud import KubernetesCloud
from mldeploy.providers.kubernetes.provider import provider as kubernetes
from mldeploy.providers.kubernetes.settings import KubernetesSettings
from mldeploy.rehearsal.door.faults import Fault
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.testing.stage import Call, Strike
from tests.aws.stage import KINDS
from tests.kubernetes.paper.server import Paper

MADE = (
    kinds.NAMESPACES,
    kinds.CONFIG_MAPS,
    kinds.SECRETS,
    kinds.SERVICES,
    kinds.DEPLOYMENTS,
    kinds.AUTOSCALERS,
    kinds.BUDGETS,
    kinds.INGRESSES,
    kinds.ROUTES,
)
"""What people make, rather than the cluster."""


@dataclass(frozen=True)
class PaperStage:
    """`mldeploy.testing.stage.Stage`."""

    settings: KubernetesSettings
    paper: Paper
    app: str

    @property
    def provider(self) -> Provider[KubernetesCloud, KubernetesSettings]:
        return kubernetes

    @property
    def endpoints(self) -> Endpoints:
        return self.paper.endpoints

    def reset(self) -> None:
        self.paper.reset()

    def add_foreign(self) -> None:
        """Another app of ours, and things of people who never heard of mldeploy, as like the app's as they can be."""
        another = {
            "mldeploy.app": "another",
            "mldeploy.target": "kubernetes",
            "app.kubernetes.io/managed-by": "mldeploy",
        }
        for name, labels in (("another", another), ("default", {})):
            self.paper.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
            for kind in ("ConfigMap", "Secret"):
                metadata = {"name": self.app, "namespace": name, "labels": labels}
                self.paper.put({"apiVersion": "v1", "kind": kind, "metadata": metadata, "data": {}})

    def contents(self) -> Sequence[str]:
        found = self.paper.store.every()
        return [f"{key.resource.name} {key.namespace}/{key.name}" for key, _ in found if key.resource in MADE]

    def calls(self) -> Sequence[Call]:
        return [Call(call.action, call.writing) for call in self.paper.ledger.calls]

    def order(self, strike: Strike) -> None:
        times = 0 if strike.always else 1
        self.paper.ledger.orders.add(Fault(KINDS[strike.blow], strike.action, strike.skip, times, strike.seconds))

    def struck(self, within: float) -> bool:
        return self.paper.ledger.orders.struck(1, within) > 0

    def relent(self) -> None:
        self.paper.ledger.orders.clear()
