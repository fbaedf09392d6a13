"""Cloud Run: services and their revisions, with traffic and tags that are really routed."""

from __future__ import annotations

from collections import Counter

import pytest
from google.api_core import exceptions as api
from google.cloud import run_v2 as run

from tests.rehearsal.gcp.clients import Clients, done
from tests.rehearsal.gcp.run_templates import LATEST, SUCCEEDED, publish, revision_of, target, template


def test_a_service_answers_over_https_with_the_real_defaults(google: Clients, image: str) -> None:
    service = google.deploy(run.Service(template=template(image), labels={"a": "b"}))
    assert service.terminal_condition.state == SUCCEEDED
    assert (service.generation, service.observed_generation, service.reconciling) == (1, 1, False)
    assert [(each.type_, each.percent) for each in service.traffic_statuses] == [(LATEST, 100)]
    container = service.template.containers[0]
    assert dict(container.resources.limits) == {"cpu": "1000m", "memory": "512Mi"}
    assert (container.ports[0].container_port, service.template.max_instance_request_concurrency) == (8080, 80)
    publish(google, service)
    answered = google.ask(f"{service.uri}/environment").json()
    assert answered["PORT"] == "8080"
    assert answered["K_REVISION"].startswith("shop-00001-")
    assert service.latest_ready_revision.endswith(answered["K_REVISION"])


def test_a_new_revision_gets_no_traffic_until_it_is_given_some(google: Clients, image: str) -> None:
    first = google.deploy(run.Service(template=template(image, "shop-00001-a"), traffic=[target("shop-00001-a", 100)]))
    publish(google, first)
    changed = run.Service(name=first.name, template=template(image, "shop-00002-b"))
    changed.traffic = [target("shop-00001-a", 100, "stable"), target("shop-00002-b", 0, "candidate")]
    second = done(
        google.run.update_service(request={"service": changed, "update_mask": {"paths": ["template", "traffic"]}})
    )
    urls = {each.tag: each.uri for each in second.traffic_statuses}
    assert {revision_of(google, second.uri) for _ in range(20)} == {"shop-00001-a"}
    assert revision_of(google, urls["candidate"]) == "shop-00002-b"
    assert revision_of(google, urls["stable"]) == "shop-00001-a"
    name = "shop-123456789012.us-central1.run.app"
    assert revision_of(google, second.uri, host=f"candidate---{name}") == "shop-00002-b"
    assert revision_of(google, urls["candidate"], host=name) == "shop-00001-a"


def test_percentages_are_those_of_the_requests(google: Clients, image: str) -> None:
    service = google.deploy(run.Service(template=template(image, "shop-a"), traffic=[target("shop-a", 100)]))
    publish(google, service)
    changed = run.Service(name=service.name, template=template(image, "shop-b"))
    changed.traffic = [target("shop-a", 80), target("shop-b", 20)]
    done(google.run.update_service(service=changed))
    publish(google, service)
    counted = Counter(revision_of(google, service.uri) for _ in range(400))
    assert 0.12 <= counted["shop-b"] / 400 <= 0.28


def test_a_name_of_another_configuration_is_taken(google: Clients, image: str) -> None:
    service = google.deploy(run.Service(template=template(image, "shop-a")))
    changed = run.Service(name=service.name, template=template(image, "shop-a", max_instance_request_concurrency=5))
    with pytest.raises(api.AlreadyExists, match="Revision named 'shop-a' with different configuration already exists"):
        google.run.update_service(service=changed)
    assert len(list(google.revisions.list_revisions(parent=service.name))) == 1
