"""An app in a cluster from its first version to its last, in real containers."""

from __future__ import annotations

import pytest

from mldeploy.testing.life import RolloutSuite
from mldeploy.testing.load import ZeroDowntimeSuite
from mldeploy.testing.secrets import SecretArrivalSuite
from tests.kubernetes.stand_in import InContainers


@pytest.mark.engine
@pytest.mark.exhaustive
class TestKubernetes(InContainers, RolloutSuite, ZeroDowntimeSuite, SecretArrivalSuite):
    """What every provider must pass. What runs on every change stands in tests/targets."""

    target = "kubernetes"
