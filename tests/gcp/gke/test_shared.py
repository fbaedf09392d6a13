"""What of a deployment is the app's and what is not: its cluster or another's, its load balancer or what one leaves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import requests
from google.cloud import container_v1 as gke

from mldeploy.core.errors import ExitCode, LeftoversError
from mldeploy.core.verbs import DeploymentFailedError
from mldeploy.providers.base import Address
from mldeploy.providers.gcp.gke.provider import provider
from mldeploy.providers.gcp.gke.settings import GkeSettings
from mldeploy.providers.kubernetes.api import KubeClient
from mldeploy.rehearsal.gcp import GcpRehearsal
from mldeploy.rehearsal.gcp.conditions import SERVICE_KEYS
from mldeploy.testing.scene import DeploymentUnderTest
from tests.gcp.others import SECONDS, Others
from tests.tiny import project_of

pytestmark = pytest.mark.engine


@dataclass(frozen=True)
class Story:
    """An app, and the project that it is deployed to."""

    scene: DeploymentUnderTest
    rehearsal: GcpRehearsal

    @property
    def app(self) -> str:
        return self.scene.project.app.name

    @property
    def others(self) -> Others:
        return Others(self.rehearsal)

    def having(self, **keys: object) -> Story:
        return replace(self, scene=replace(self.scene, settings=GkeSettings.model_validate(keys)))

    def deploy(self) -> Address:
        out = self.scene.deploy().out
        assert isinstance(out, Address)
        return out

    def kube(self, cluster: str) -> KubeClient:
        """The API of a cluster, with our credentials."""
        settings = GkeSettings.model_validate(self.scene.settings.model_dump())
        kube = provider.connect(self.scene.project, settings, self.scene.endpoints).kube((cluster,))
        assert kube is not None
        return kube

    def make_cluster(self, name: str, location: str = "us-central1") -> None:
        """What `gcloud container clusters create` does; it waits, too."""
        others = self.others
        parent = others.parent(location)
        cluster = gke.Cluster(name=name, initial_node_count=1)
        others.await_operation(parent, others.clusters.create_cluster(parent=parent, cluster=cluster))

    def delete_by_hand(self, name: str) -> None:
        """What `gcloud container clusters delete` does; it waits, too."""
        others = self.others
        parent = others.parent("us-central1")
        others.await_operation(parent, others.clusters.delete_cluster(name=f"{parent}/clusters/{name}"))

    def things(self, kind: str) -> list[str]:
        return [each.name for each in self.rehearsal.contents() if each.kind == kind]

    def clear(self, rule: str) -> None:
        """What the command does that we name."""
        endpoints = self.scene.endpoints
        cloud = provider.connect(self.scene.project, GkeSettings.model_validate({}), endpoints)
        token = cloud.account.identity.token().reveal()
        url = f"{endpoints.service('compute')}/compute/v1/projects/{cloud.account.project}/regions/us-central1"
        for kind in ("forwardingRules", "targetPools"):
            answer = requests.delete(
                f"{url}/{kind}/{rule}",
                headers={"Authorization": f"Bearer {token}"},
                verify=str(endpoints.ca_bundle),
                timeout=SECONDS,
            )
            assert answer.ok, answer.text


@pytest.fixture
def story(rehearsal: GcpRehearsal, tiny: Path, tmp_path: Path) -> Story:
    settings = GkeSettings.model_validate({})
    return Story(
        DeploymentUnderTest(provider, settings, rehearsal.endpoints, project_of(tiny), tmp_path / "state"), rehearsal
    )


def test_the_url_is_the_load_balancers_and_stays(story: Story) -> None:
    first = story.deploy()
    assert first.url.startswith("http://127.")
    assert story.scene.service.url() == first.url
    assert len(story.things("compute:forwardingRule")) == 1
    assert [each.health for each in story.scene.service.instances()] == ["healthy"]
    story.scene.destroy()
    assert story.rehearsal.contents() == ()
    assert story.scene.service.url() is None
    assert story.scene.service.instances() == ()


def test_a_token_that_is_refused_before_its_time_is_renewed_for_the_cluster_too(story: Story) -> None:
    first = story.deploy()
    service = story.scene.service
    assert service.url() == first.url
    story.rehearsal.expire_tokens()
    assert service.url() == first.url


def test_a_cluster_that_is_there_is_used_and_stays(story: Story) -> None:
    story.make_cluster("shared")
    using = story.having(cluster="shared")
    using.deploy()
    assert story.things("container:cluster") == ["shared"]
    assert story.things("kubernetes:deployments.apps") == [f"shared/{story.app}/{story.app}"]
    using.scene.destroy()
    assert story.things("container:cluster") == ["shared"]
    assert story.things("compute:forwardingRule") == []
    assert story.things("kubernetes:deployments.apps") == []


def test_a_cluster_that_is_not_there_is_not_made(story: Story) -> None:
    with pytest.raises(DeploymentFailedError, match=r"cluster nowhere: does not exist in us-central1"):
        story.having(cluster="nowhere").deploy()
    assert story.things("container:cluster") == []


@pytest.mark.exhaustive
def test_from_its_own_cluster_to_a_shared_one_the_old_one_is_swept(story: Story) -> None:
    story.deploy()
    story.make_cluster("shared")
    story.having(cluster="shared").deploy()
    assert story.things("container:cluster") == ["shared"]


@pytest.mark.parametrize("key", SERVICE_KEYS)
def test_what_outlives_a_cluster_is_listed_with_the_command_that_removes_it(story: Story, key: str) -> None:
    """Somebody has deleted the cluster by hand, its load balancer with nobody to see to it."""
    story.rehearsal.spell_services(key)
    story.deploy()
    story.delete_by_hand(story.app)
    (rule,) = story.things("compute:forwardingRule")
    with pytest.raises(LeftoversError) as caught:
        story.scene.destroy()
    assert caught.value.exit_code is ExitCode.LEFTOVERS
    assert f"gcloud compute forwarding-rules delete {rule} --region us-central1" in str(caught.value)
    story.clear(rule)
    story.scene.destroy()
    assert story.rehearsal.contents() == ()


@pytest.mark.exhaustive
def test_what_could_be_another_clusters_is_no_leftover(story: Story) -> None:
    story.deploy()
    story.make_cluster("neighbour", "us-central1-b")
    story.delete_by_hand(story.app)
    story.scene.destroy()
    assert len(story.things("compute:forwardingRule")) == 1


def test_a_cluster_in_which_others_have_a_load_balancer_stays(story: Story) -> None:
    story.deploy()
    kube = story.kube(story.app)
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "theirs"}})
    ports = [{"port": 80, "targetPort": 8080, "protocol": "TCP"}]
    spec = {"type": "LoadBalancer", "selector": {"app": "theirs"}, "ports": ports}
    metadata = {"name": "shop", "namespace": "theirs"}
    kube.apply({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
    with pytest.raises(LeftoversError, match="it contains load balancers of others, which would remain: theirs/shop"):
        story.scene.destroy()
    assert story.app in story.things("container:cluster")
