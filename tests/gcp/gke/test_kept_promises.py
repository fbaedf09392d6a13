"""On `gke`, whose cluster is a step of its own, the golden row, HTTPS and a domain are as in any cluster."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mldeploy.app.verdict import VerdictError
from mldeploy.config.secret import Secret
from mldeploy.core.events import Action
from mldeploy.core.verbs import DeploymentFailedError
from mldeploy.providers.base import Address
from mldeploy.providers.gcp.gke.provider import provider
from mldeploy.providers.gcp.gke.settings import GkeSettings
from mldeploy.providers.kubernetes.api import INGRESS
from mldeploy.rehearsal.gcp import GcpRehearsal
from mldeploy.testing.promises import Promise, proves
from mldeploy.testing.scene import DeploymentUnderTest
from tests.gcp.gke.test_shared import Story
from tests.rehearsal.kubernetes.cluster import Issuer, eventually, http_get, https_get_status
from tests.tiny import project_of

pytestmark = pytest.mark.engine
HOST, SPACE = "insurance.example.com", "models"


@pytest.fixture
def story(rehearsal: GcpRehearsal, tiny: Path, tmp_path: Path) -> Story:
    settings = GkeSettings.model_validate({})
    scene = DeploymentUnderTest(provider, settings, rehearsal.endpoints, project_of(tiny), tmp_path / "state")
    made = Story(scene, rehearsal)
    made.make_cluster("shared")
    return made.having(cluster="shared")


def with_row(story: Story, file: Path, expect: object, version: str) -> Story:
    """A further version, with a golden row. A pod without a container answers {} to everything."""
    file.write_text(json.dumps({"path": "/predict_api", "request": {}, "expect": expect}))
    project = story.scene.project
    app = replace(project.app, env=(("VERSION", Secret(version, is_public=True)),))
    project = replace(project, app=app, check=replace(project.check, golden=file))
    return replace(story, scene=replace(story.scene, project=project))


@proves(Promise.GOLDEN_ROW, Promise.OLD_VERSION, targets=("gke",))
def test_a_version_that_answers_otherwise_is_never_rolled_out(story: Story, tmp_path: Path) -> None:
    first = with_row(story, tmp_path / "golden.json", {}, "1")
    url = first.deploy().url
    served = first.scene.service.releases()
    second = with_row(first, tmp_path / "golden.json", {"prediction": 1}, "2")
    with pytest.raises(DeploymentFailedError) as caught:
        second.scene.deploy()
    assert isinstance(caught.value.failures[0][1], VerdictError)
    assert "golden row differs" in str(caught.value.failures[0][1])
    assert second.scene.service.releases() == served
    assert second.scene.service.url() == url
    third = with_row(first, tmp_path / "golden.json", {}, "2")
    assert third.deploy().url == url
    assert [each.state for each in third.scene.service.releases()] == ["serving", "old"]


@proves(Promise.HTTPS, Promise.DOMAIN, targets=("gke",))
def test_an_ingress_answers_under_the_domain_with_its_certificate(story: Story, tmp_path: Path) -> None:
    issuer = Issuer.of(tmp_path)
    kube = story.kube("shared")
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}})
    certificate = issuer.secret("tls", HOST)
    certificate["metadata"]["namespace"] = SPACE
    kube.apply({"apiVersion": "v1", "kind": "Secret", **certificate})
    routed = story.having(cluster="shared", namespace=SPACE, ingress="ingress", domain=HOST, tls_secret="tls")
    address = routed.deploy()
    assert address.url == f"https://{HOST}"
    assert f"{HOST} does not point there yet" in address.remarks[0]

    def look() -> str | None:
        ingress = kube.get(INGRESS, routed.app, SPACE) or {}
        given = json.loads(json.dumps(ingress)).get("status", {}).get("loadBalancer", {}).get("ingress")
        return str(given[0]["ip"]) if given else None

    at = eventually(look, "an address")
    eventually(lambda: https_get_status(at, HOST, issuer, "/health") == 200, "the app")
    sent = http_get(at, HOST, "/health")
    assert (sent.status_code, sent.headers["Location"]) == (308, f"https://{HOST}/health")
    again = routed.scene.deploy()
    assert {each.action for each in again.steps} == {Action.UNCHANGED}
    assert isinstance(again.out, Address)
    routed.scene.destroy()
    assert kube.get(INGRESS, routed.app, SPACE) is None
