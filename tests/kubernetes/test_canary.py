"""Two versions of an app in a cluster: by the weights of a Gateway, and by the numbers of their pods."""

from __future__ import annotations

import pytest

from mldeploy.providers.kubernetes.provider import provider
from mldeploy.providers.kubernetes.settings import KubernetesSettings
from mldeploy.rehearsal.kubernetes import KubernetesRehearsal
from mldeploy.testing.canary import CanarySuite
from tests.kubernetes.stand_in import InContainers, StandIn


@pytest.mark.engine
class TestByPods(InContainers, CanarySuite):
    """A Service in front of two pods: the nearest share is one pod of three."""

    target = "kubernetes"

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, lively: KubernetesRehearsal) -> StandIn:
        return StandIn(provider, KubernetesSettings.model_validate({"instances": 2}), lively)
