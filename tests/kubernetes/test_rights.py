"""Somebody who may not do everything: what `mldeploy policy` prints is enough, and the doctor says what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mldeploy.config.endpoints import Endpoints
from mldeploy.config.settings import Project
from mldeploy.core.errors import ExitCode
from mldeploy.core.findings import Level
from mldeploy.core.verbs import DeploymentFailedError
from mldeploy.providers.kubernetes.checks import check_cluster
from mldeploy.providers.kubernetes.kubeconfig import authenticate
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.provider import provider
from mldeploy.providers.kubernetes.settings import KubernetesSettings
from mldeploy.rehearsal.kubernetes import KubernetesRehearsal, rehearsing, server
from mldeploy.testing.scene import DeploymentUnderTest
from tests.cli.command import Command
from tests.kubernetes.granting import deployer_endpoints, grant
from tests.rehearsal.available import require_registry
from tests.rehearsal.kubernetes.cluster import Cluster
from tests.tiny import project_of

pytestmark = pytest.mark.engine
SETTINGS = KubernetesSettings.model_validate({"max": 2, "ingress": "ingress", "domain": "insurance.example.com"})


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubernetesRehearsal]:
    """One whose pods answer without a container behind them."""
    require_registry()
    with rehearsing(tmp_path_factory.mktemp("kubernetes") / "place", containers=False) as made:
        yield made


@pytest.fixture
def cluster(rehearsal: KubernetesRehearsal) -> Iterator[Cluster]:
    """As somebody sees it who may do everything."""
    rehearsal.reset()
    with Cluster.of(rehearsal) as made:
        yield made


@pytest.fixture
def project(tiny: Path) -> Project:
    return project_of(tiny)


@pytest.fixture
def endpoints(cluster: Cluster) -> Endpoints:
    """The same cluster for somebody to whom nothing is allowed yet."""
    return deployer_endpoints(cluster)


def found(endpoints: Endpoints, project: Project) -> dict[str, tuple[Level, str]]:
    owner = Owner(project.app.name, "kubernetes")
    looked = check_cluster(authenticate("", endpoints).kube, project, SETTINGS, owner)
    return {each.subject: (each.level, each.what) for each in looked}


def scene(endpoints: Endpoints, project: Project, state: Path) -> Any:
    return DeploymentUnderTest(provider, SETTINGS, endpoints, project, state)


def test_what_the_policy_allows_is_enough_for_a_whole_life(
    cluster: Cluster, endpoints: Endpoints, project: Project, tmp_path: Path
) -> None:
    grant(cluster, project.app.name)
    assert found(endpoints, project)["permissions"][0] is Level.OK
    harness = scene(endpoints, project, tmp_path / "state")
    harness.deploy()
    assert len(harness.service.instances()) == 1
    assert list(harness.service.logs(follow=False, tail=1))
    harness.service.releases()
    harness.destroy()
    assert cluster.find(f"/apis/apps/v1/namespaces/{project.app.name}/deployments/{project.app.name}") is None


def test_the_doctor_names_what_is_missing(cluster: Cluster, endpoints: Endpoints, project: Project) -> None:
    grant(cluster, project.app.name, frozenset((("patch", "deployments"), ("get", "pods/log"))))
    level, what = found(endpoints, project)["permissions"]
    assert level is Level.ERROR
    assert what.endswith("to patch deployments.apps, get pods/log")


def test_the_doctor_sees_that_nothing_is_allowed(endpoints: Endpoints, project: Project) -> None:
    seen = found(endpoints, project)
    level, what = seen["permissions"]
    assert level is Level.ERROR
    assert "create services" in what


def test_a_deployment_stops_at_what_it_may_not_do_and_says_it(
    cluster: Cluster, endpoints: Endpoints, project: Project, tmp_path: Path
) -> None:
    grant(cluster, project.app.name, frozenset((("create", "deployments"),)))
    with pytest.raises(DeploymentFailedError) as failed:
        scene(endpoints, project, tmp_path / "state").deploy()
    assert failed.value.exit_code is ExitCode.ACCESS
    assert "create" in str(failed.value.failures[0][1])
    assert "deployments.apps" in str(failed.value.failures[0][1])


def test_the_command_says_it_of_whom_the_kubeconfig_names(
    cluster: Cluster, endpoints: Endpoints, project: Project, tmp_path: Path
) -> None:
    grant(cluster, project.app.name, frozenset((("delete", "services"),)))
    token, bundle = endpoints.credential("token"), endpoints.ca_bundle
    assert token is not None
    assert bundle is not None
    config = server.write(tmp_path, endpoints.url, bundle.read_bytes(), token.reveal())
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "app.py").write_text("app = None\n")
    (folder / "requirements.txt").write_text("")
    (folder / "mldeploy.toml").write_text(f'[app]\nname = "{project.app.name}"\nentry = "app:app"\nmodels = []\n')
    mldeploy = Command(tmp_path / "home", folder).with_env(KUBECONFIG=str(config))
    reported = mldeploy("doctor", "--target", "kubernetes", "--json")
    assert reported.code == 1, reported.err
    findings = reported.document["findings"]
    assert isinstance(findings, list)
    of_target = {each["subject"]: each for each in findings if each["group"] == "target"}
    assert of_target["cluster"]["level"] == "ok"
    assert of_target["permissions"]["what"].endswith("to delete services")
    assert "mldeploy policy" in of_target["permissions"]["todo"]
