"""Deployers whose role or policy is of a version that knew no stored secrets."""

from __future__ import annotations

from typing import ClassVar

import pytest

from mldeploy.core.verbs import DeploymentFailedError
from mldeploy.testing.scene import DeploymentUnderTest
from mldeploy.testing.secrets import SecretConformance, SecretMatrix
from mldeploy.testing.stage import Fault, FaultRule


class EarlierPermissions(SecretConformance):
    """listed: the action that lists the secrets, which such a role does not allow."""

    listed: ClassVar[str]

    def test_with_earlier_permissions_an_app_without_secrets_is_deployed(
        self, scene: DeploymentUnderTest, matrix: SecretMatrix
    ) -> None:
        """One with secrets is not: it would lose them."""
        denied = FaultRule(self.listed, Fault.DENIED, always=True)
        matrix.stage.order(denied)
        scene.deploy()
        assert scene.plan().is_noop
        matrix.stage.clear_faults()
        scene.set_secret("API_KEY", "an-unguessable-value")
        scene.deploy()
        matrix.stage.order(denied)
        with pytest.raises(DeploymentFailedError, match=self.listed):
            scene.deploy()
        matrix.stage.clear_faults()
        scene.destroy()
        matrix.ended(scene)
