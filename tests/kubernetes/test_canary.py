"""Two versions of an app in a cluster: by the weights of a Gateway, and by the numbers of their pods."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from mldeploy.app.client import AppClient
from mldeploy.project.golden import Json
from mldeploy.providers.kubernetes.provider import provider
from mldeploy.providers.kubernetes.settings import KubernetesSettings
from mldeploy.rehearsal.kubernetes import KubernetesRehearsal
from mldeploy.testing.canary import CanarySuite
from mldeploy.testing.life import AppLife
from mldeploy.testing.promises import Promise, proves
from mldeploy.testing.sample import ROUTE, SampleApp
from tests.kubernetes.granting import Restricted, add_gateway
from tests.kubernetes.stand_in import InContainers, StandIn
from tests.rehearsal.kubernetes.cluster import GATEWAYS, Cluster, eventually

HOST = "insurance.example.com"
SETTINGS = {"ingress": "gateway", "gateway": "infra/public", "domain": HOST}


@pytest.mark.engine
class TestByPods(InContainers, CanarySuite):
    """A Service in front of two pods: the nearest share is one pod of three."""

    target = "kubernetes"

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, lively: KubernetesRehearsal) -> StandIn:
        return StandIn(provider, KubernetesSettings.model_validate({"instances": 2}), lively)

    @proves(Promise.CANARY)
    def test_another_machine_goes_on_with_a_canary_whose_command_was_killed(self, life: AppLife) -> None:
        """On every change; the other targets are swept."""
        super().test_another_machine_goes_on_with_a_canary_whose_command_was_killed(life)


@dataclass(frozen=True)
class Routed(Restricted):
    """Beside another app of ours, behind a Gateway that everybody may use, with the printed Role alone."""

    def add_foreign(self) -> None:
        super().add_foreign()
        add_gateway(self.rehearsal)


@pytest.mark.engine
class TestByWeights(InContainers, CanarySuite):
    """Behind a Gateway: the share is what was asked for, whatever the number of pods."""

    target = "kubernetes"

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, lively: KubernetesRehearsal, sample: SampleApp) -> Routed:
        return Routed(provider, KubernetesSettings.model_validate(SETTINGS), lively, sample.name)

    @pytest.fixture(autouse=True)
    def _cluster(self, lively: KubernetesRehearsal) -> Iterator[None]:
        with Cluster.of(lively) as self.cluster:
            self.address = ""
            yield

    def ask(self, url: str) -> Json:
        """Ask the Gateway, as if the host name led to it."""
        is_routed = url == f"http://{HOST}"
        self.address = self.address or (self._find_address() if is_routed else "")
        with AppClient(f"http://{self.address}" if is_routed else url, host=HOST if is_routed else "") as client:
            return client.predict(ROUTE, {})

    def _find_address(self) -> str:
        def look() -> str | None:
            given = self.cluster.ask("GET", f"{GATEWAYS}/namespaces/infra/gateways/public")["status"]["addresses"]
            return str(given[0]["value"]) if given else None

        return eventually(look, "an address")
