"""The rehearsal of a cluster as a stage for the conformance suite."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from mldeploy.config.secret import Secret
from mldeploy.providers.kubernetes.api import KubeClient
from mldeploy.providers.kubernetes.cloud import KubernetesCloud
from mldeploy.providers.kubernetes.kubeconfig import authenticate
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.manifests.environment import (
    ContainerEnvironment,
    config_map_manifest,
    namespace_manifest,
    secret_manifest,
)
from mldeploy.providers.kubernetes.provider import provider
from mldeploy.providers.kubernetes.settings import KubernetesSettings
from mldeploy.rehearsal.kubernetes import KubernetesRehearsal
from mldeploy.testing.rehearsal import RehearsalStage
from tests.sampled import Sampled

BY_CLUSTER = re.compile(r"(?i)\b(replicasets?|pods?|endpoints\w*|events?)\b")
"""What the cluster makes by itself, under names of its own."""


@dataclass(frozen=True)
class StandIn(RehearsalStage[KubernetesCloud, KubernetesSettings, KubernetesRehearsal]):
    """Beside another app of ours."""

    @property
    def kube(self) -> KubeClient:
        return authenticate("", self.endpoints).kube

    def add_foreign(self) -> None:
        """Another app of ours, with what it has in its environment."""
        other = Owner("another", "kubernetes")
        environment = ContainerEnvironment((("PORT", "1"),), (("KEY", Secret("theirs")),))
        for each in (
            namespace_manifest(other, "another"),
            config_map_manifest(other, "another", environment),
            secret_manifest(other, "another", environment),
        ):
            self.kube.apply(each)

    def contents(self) -> Sequence[str]:
        result = (f"{thing.kind} {thing.name}" for thing in self.rehearsal.contents())
        return [each for each in result if not BY_CLUSTER.search(each.split(" ")[0])]


class InContainers(Sampled):
    """An app in the rehearsed cluster whose pods are containers. To stand before `Living` and the like."""

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, lively: KubernetesRehearsal) -> StandIn:
        return StandIn(provider, KubernetesSettings.model_validate({}), lively)
