"""What `mldeploy policy` prints is enough for the whole life of an app, and no rule of it is needless.

`test_routed_conformance` runs the conformance suite under the same Role.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mldeploy.config.secret import Secret
from mldeploy.core.findings import Level
from mldeploy.core.verbs import DeploymentFailedError
from mldeploy.providers.capabilities import CanExec, Streams
from mldeploy.providers.kubernetes.checks import check_cluster
from mldeploy.providers.kubernetes.kubeconfig import authenticate
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.permissions import RULES
from mldeploy.providers.kubernetes.provider import provider
from mldeploy.providers.kubernetes.settings import KubernetesSettings
from mldeploy.rehearsal.kubernetes import KubernetesRehearsal, rehearsing
from mldeploy.testing.scene import DeploymentUnderTest
from tests.kubernetes.granting import Restricted, add_gateway
from tests.rehearsal.available import require_registry
from tests.tiny import project_of

pytestmark = pytest.mark.engine
INGRESS = {"max": 2, "ingress": "ingress", "domain": "insurance.example.com"}
GATEWAY = {"ingress": "gateway", "gateway": "infra/public", "domain": "insurance.example.com"}
BALANCED = {"max": 2}
UNUSED = {"list persistentvolumeclaims": "read before mldeploy removes a namespace that it has created itself"}
"""Rules that the life below does not need, and why they are printed. The ClusterRole is for such a namespace, too."""


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubernetesRehearsal]:
    require_registry()
    with rehearsing(tmp_path_factory.mktemp("kubernetes") / "place", containers=False) as rehearsal:
        yield rehearsal


@pytest.fixture(scope="module")
def restricted(quick: KubernetesRehearsal, tiny: Path) -> Restricted:
    return Restricted(provider, KubernetesSettings.model_validate(INGRESS), quick, project_of(tiny).app.name)


def test_every_rule_of_the_role_is_needed(restricted: Restricted, tiny: Path, tmp_path: Path) -> None:
    project = project_of(tiny)
    for number, values in enumerate((BALANCED, INGRESS, GATEWAY)):
        stage = replace(restricted, settings=KubernetesSettings.model_validate(values))
        stage.reset()
        if values is GATEWAY:
            add_gateway(stage.rehearsal)
        live(DeploymentUnderTest(provider, stage.settings, stage.endpoints, project, tmp_path / str(number)))
    printed = {f"{verb} {each.qualified}" for each in RULES for verb in each.verbs}
    assert printed - restricted.rehearsal.used_permissions() == UNUSED.keys()


def live(scene: DeploymentUnderTest) -> None:
    """Deploy a version that fails and two that do not, operate them, and remove them."""
    with pytest.raises(DeploymentFailedError):
        with_golden(scene, "1").deploy()
    first = with_golden(scene, "{}")
    first.deploy()
    env = (("VERSION", Secret("2")),)
    second = replace(first, project=replace(first.project, app=replace(first.project.app, env=env)))
    second.deploy()
    service = second.service
    assert isinstance(service, CanExec)
    list(service.logs(follow=False, tail=1))
    assert service.execute(["true"], "", Streams(lambda _: None, lambda _: None)) == 0
    (before,) = (each.revision for each in service.releases() if each.state == "old")
    service.rollback(before, second.monitor)
    service.stop()
    check_cluster_of(second)
    second.destroy()


def with_golden(scene: DeploymentUnderTest, expected: str) -> DeploymentUnderTest:
    """The same with a golden row. Every answer of the app is `{}`."""
    golden = scene.state.with_name(f"golden-{expected}.json")
    golden.write_text(f'{{"path": "/predict", "request": {{}}, "expect": {expected}}}')
    return replace(scene, project=replace(scene.project, check=replace(scene.project.check, golden=golden)))


def check_cluster_of(scene: DeploymentUnderTest) -> None:
    """The doctor finds nothing that is missing."""
    owner = Owner(scene.project.app.name, "kubernetes")
    kube = authenticate("", scene.endpoints).kube
    assert isinstance(scene.settings, KubernetesSettings)
    found = list(check_cluster(kube, scene.project, scene.settings, owner))
    assert not [each for each in found if each.level is Level.ERROR]
