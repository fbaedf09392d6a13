"""What Cloud Run refuses, and how a revision that does not start says why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.api_core import exceptions as api
from google.cloud import run_v2 as run
from google.cloud import secretmanager_v1 as sm
from google.iam.v1 import policy_pb2

from tests.rehearsal.gcp.clients import SECONDS, Clients, done
from tests.rehearsal.gcp.run_templates import FAILED, LATEST, PUBLIC, SUCCEEDED, publish, revision_of, target, template

Change = Callable[[run.Service], object]


def container(service: run.Service) -> run.Container:
    return service.template.containers[0]


def change(path: str, value: object) -> Change:
    """Set one field of a service: `template.timeout`."""
    *before, last = path.split(".")

    def set_it(service: run.Service) -> None:
        owner: Any = service
        for name in before:
            owner = getattr(owner, name)
        setattr(owner, last, value)

    return set_it


def limit(**amounts: str) -> Change:
    return lambda service: container(service).resources.limits.update(amounts)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (change("template.containers", []), "at least one container"),
        (lambda each: setattr(container(each), "image", "ghcr.io/a/b"), "Expected an image path like"),
        (lambda each: container(each).env.append(run.EnvVar(name="PORT", value="1")), "reserved env names.*PORT"),
        (limit(cpu="3"), "Invalid value specified for cpu"),
        (limit(memory="64Mi"), "Invalid value specified for container memory"),
        (limit(cpu="4", memory="1Gi"), "Invalid value specified for container memory"),
        (limit(cpu="500m"), "Total cpu < 1 is not supported with"),
        (limit(**{"nvidia.com/gpu": "1"}), "must be set together"),
        (change("template.revision", "other-1"), "must be prefixed by the name"),
        (change("template.max_instance_request_concurrency", 2000), "between 0 and 1000"),
        (change("template.scaling", run.RevisionScaling(min_instance_count=3, max_instance_count=2)), "min_instance"),
        (change("traffic", [run.TrafficTarget(type_=LATEST, percent=90)]), "Traffic targets sum to 90, want 100"),
        (change("traffic", [run.TrafficTarget(type_=LATEST, percent=100, tag="t" * 50)]), "at most 46"),
        (change("labels", {"UPPER": "x"}), "label key"),
        (change("annotations", {"run.googleapis.com/x": "y"}), "not supported by the v2 API"),
        (change("template.volumes", []), ""),
    ],
)
def test_what_cannot_be_a_service_is_refused_at_once(google: Clients, changed: Change, why: str) -> None:
    google.repository()
    service = run.Service(template=template(google.push()))
    changed(service)
    if not why:  # the unchanged one is good
        assert google.deploy(service).terminal_condition.state == SUCCEEDED
        return
    with pytest.raises(api.InvalidArgument, match=why):
        google.run.create_service(parent=google.region, service=service, service_id="shop")
    assert not [each for each in google.rehearsal.contents() if each.kind == "run:service"]


def test_a_quota_says_how_many_instances_it_allows(google: Clients, image: str) -> None:
    scaling = run.RevisionScaling(max_instance_count=30)
    with pytest.raises(api.InvalidArgument, match=r"Max instances must be set to 20 or fewer.*\n(.*\n)*.*CpuAlloc"):
        google.deploy(run.Service(template=template(image, scaling=scaling)))
    google.rehearsal.limit_quota("CpuAllocPerProjectRegion", 30000)
    google.deploy(run.Service(template=template(image, scaling=scaling)))


def failed(google: Clients, made: run.RevisionTemplate) -> tuple[api.GoogleAPICallError, run.Revision]:
    """Deploy what does not start: the operation's error, and the revision."""
    operation = google.run.create_service(parent=google.region, service=run.Service(template=made), service_id="shop")
    with pytest.raises(api.GoogleAPICallError) as refused:
        operation.result(timeout=SECONDS)
    service = google.run.get_service(name=f"{google.region}/services/shop")
    assert service.terminal_condition.state == FAILED
    assert service.terminal_condition.message == refused.value.message
    (revision,) = google.revisions.list_revisions(parent=service.name)
    return refused.value, revision


def condition(revision: run.Revision, kind: str) -> run.Condition:
    return next(each for each in revision.conditions if each.type_ == kind)


def test_a_container_that_ends_is_said_with_its_exit_code_in_the_log(google: Clients, image: str) -> None:
    made = template(image, "shop-a")
    made.containers[0].args = ["/exit/3"]
    error, revision = failed(google, made)
    assert "Revision 'shop-a' is not ready and cannot serve traffic. The user-provided container" in error.message
    assert condition(revision, "Ready").state == condition(revision, "ContainerHealthy").state == FAILED
    assert condition(revision, "ContainerReady").state == SUCCEEDED
    assert condition(revision, "Ready").revision_reason.name == "HEALTH_CHECK_CONTAINER_ERROR"
    assert google.rehearsal.run_instances() == {"shop-a": 0}
    wanted = 'resource.type="cloud_run_revision" AND textPayload:"exit("'
    entries = google.logging.list_log_entries(
        request={"resource_names": [f"projects/{google.project}"], "filter": wanted}
    )
    assert [each.text_payload for each in entries] == ["Container called exit(3)."]


def test_one_that_does_not_listen_in_time_is_said(google: Clients, image: str) -> None:
    made = template(image)
    made.containers[0].startup_probe = run.Probe(
        tcp_socket=run.TCPSocketAction(port=9), timeout_seconds=1, period_seconds=1, failure_threshold=1
    )
    error, _ = failed(google, made)
    assert "failed to start and listen on the port defined provided by the PORT=8080" in error.message


def test_a_probe_over_http_that_fails_is_said_in_other_words(google: Clients, image: str) -> None:
    made = template(image)
    made.containers[0].startup_probe = run.Probe(
        http_get=run.HTTPGetAction(path="/", port=9), timeout_seconds=1, period_seconds=1, failure_threshold=1
    )
    error, _ = failed(google, made)
    assert "failed the configured startup probe checks" in error.message


def test_an_image_that_is_not_there_is_said(google: Clients, image: str) -> None:
    missing = image[:-4] + "0000"
    error, revision = failed(google, template(missing))
    assert f"Image '{missing}' not found." in error.message
    assert condition(revision, "ContainerReady").reason.name == "CONTAINER_MISSING"


def test_an_image_for_another_processor_is_said(google: Clients) -> None:
    google.repository()
    error, _ = failed(google, template(google.push(architecture="arm64")))
    assert "must support amd64/linux" in error.message


def test_a_failed_revision_leaves_the_traffic_where_it_was(google: Clients, image: str) -> None:
    service = google.deploy(run.Service(template=template(image)))
    publish(google, service)
    before = revision_of(google, service.uri)
    broken = run.Service(name=service.name, template=template(image))
    broken.template.containers[0].args = ["/exit/1"]
    with pytest.raises(api.GoogleAPICallError):
        google.run.update_service(service=broken).result(timeout=SECONDS)
    assert revision_of(google, service.uri) == before
    after = google.run.get_service(name=service.name)
    assert after.latest_created_revision != after.latest_ready_revision
    again = run.Service(name=service.name, traffic=[target(before, 100, "stable")])
    moved = done(google.run.update_service(request={"service": again, "update_mask": {"paths": ["traffic"]}}))
    assert [each.tag for each in moved.traffic_statuses] == ["stable"]


def secret(google: Clients, content: bytes = b"hidden") -> str:
    made = google.secrets.create_secret(
        parent=f"projects/{google.project}", secret_id="token", secret=sm.Secret(replication={"automatic": {}})
    )
    google.secrets.add_secret_version(parent=made.name, payload=sm.SecretPayload(data=content))
    return str(made.name)


def with_secret(image: str, version: str = "latest") -> run.RevisionTemplate:
    made = template(image, "shop-a")
    source = run.EnvVarSource(secret_key_ref=run.SecretKeySelector(secret="token", version=version))
    made.containers[0].env.append(run.EnvVar(name="TOKEN", value_source=source))
    return made


def test_a_secret_needs_the_grant_of_its_revisions_account(google: Clients, image: str) -> None:
    name = secret(google)
    error, revision = failed(google, with_secret(image))
    account = "123456789012-compute@developer.gserviceaccount.com"
    denied = "Permission denied on secret: projects/123456789012/secrets/token/versions/latest for Revision service"
    assert f"{denied} account {account}" in error.message
    assert condition(revision, "Ready").reason.name == "SECRETS_ACCESS_CHECK_FAILED"
    role = "roles/secretmanager.secretAccessor"
    policy = policy_pb2.Policy(bindings=[policy_pb2.Binding(role=role, members=[f"serviceAccount:{account}"])])
    google.secrets.set_iam_policy(request={"resource": name, "policy": policy})
    service = run.Service(name=f"{google.region}/services/shop", template=with_secret(image))
    service.template.revision = "shop-b"
    done(google.run.update_service(service=service))
    publish(google, service)
    uri = google.run.get_service(name=service.name).uri
    assert google.ask(f"{uri}/environment").json()["TOKEN"] == "hidden"


def test_a_secret_is_a_file_while_its_revision_is_there(google: Clients, image: str) -> None:
    name = secret(google)
    role, account = "roles/secretmanager.secretAccessor", "123456789012-compute@developer.gserviceaccount.com"
    policy = policy_pb2.Policy(bindings=[policy_pb2.Binding(role=role, members=[f"serviceAccount:{account}"])])
    google.secrets.set_iam_policy(request={"resource": name, "policy": policy})
    made = template(image, "shop-a")
    made.volumes = [run.Volume(name="keys", secret=run.SecretVolumeSource(secret="token"))]
    made.containers[0].volume_mounts = [run.VolumeMount(name="keys", mount_path="/keys")]
    service = google.deploy(run.Service(template=made))
    file = Path(google.rehearsal.record.ca_bundle).parent / "volumes/shop-a/keys/token"
    assert file.read_bytes() == b"hidden"
    google.run.delete_service(name=service.name).result(timeout=SECONDS)
    assert not file.exists()


def test_a_traffic_target_must_be_a_ready_revision(google: Clients, image: str) -> None:
    service = google.deploy(run.Service(template=template(image)))
    changed = run.Service(name=service.name, traffic=[target("shop-none", 100)])
    request = {"service": changed, "update_mask": {"paths": ["traffic"]}}
    with pytest.raises(api.FailedPrecondition, match='Revision "shop-none" referenced in traffic not found'):
        google.run.update_service(request=request).result(timeout=SECONDS)


def test_another_etag_is_a_conflict(google: Clients, image: str) -> None:
    service = google.deploy(run.Service(template=template(image)))
    changed = run.Service(name=service.name, description="x", etag='"1"')
    with pytest.raises(api.Aborted, match="Conflict for resource 'shop'"):
        google.run.update_service(request={"service": changed, "update_mask": {"paths": ["description"]}})


def test_a_revision_that_can_get_requests_is_not_deleted(google: Clients, image: str) -> None:
    service = google.deploy(run.Service(template=template(image, "shop-a"), traffic=[target("shop-a", 100)]))
    for name in ("shop-b", "shop-c"):
        changed = run.Service(name=service.name, template=template(image, name))
        changed.traffic = [target("shop-a", 100), target("shop-b", 0, "b")]
        done(google.run.update_service(service=changed))
    for name in ("shop-a", "shop-b", "shop-c"):  # traffic, tag, latest
        with pytest.raises(api.FailedPrecondition, match="cannot be deleted"):
            google.revisions.delete_revision(name=f"{service.name}/revisions/{name}")
    moved = run.Service(name=service.name, traffic=[target("shop-c", 100)])
    done(google.run.update_service(request={"service": moved, "update_mask": {"paths": ["traffic"]}}))
    google.revisions.delete_revision(name=f"{service.name}/revisions/shop-a").result(timeout=SECONDS)
    names = [each.name.rpartition("/")[2] for each in google.revisions.list_revisions(parent=service.name)]
    assert names == ["shop-c", "shop-b"]


def test_revisions_beyond_the_limit_go_by_themselves(google: Clients, image: str) -> None:
    google.rehearsal.limit_quota("RevisionsPerService", 2)
    service = google.deploy(run.Service(template=template(image, "shop-a")))
    for name in ("shop-b", "shop-c", "shop-d"):
        done(google.run.update_service(service=run.Service(name=service.name, template=template(image, name))))
    names = [each.name.rpartition("/")[2] for each in google.revisions.list_revisions(parent=service.name)]
    assert names == ["shop-d", "shop-c"]


def test_an_organization_can_forbid_public_access(google: Clients, image: str) -> None:
    google.rehearsal.forbid_public_access()
    service = google.deploy(run.Service(template=template(image)))
    with pytest.raises(api.FailedPrecondition, match="perhaps due to an organization policy"):
        google.run.set_iam_policy(request={"resource": service.name, "policy": PUBLIC})


def test_an_operation_can_be_told_to_fail(google: Clients, image: str) -> None:
    service = google.deploy(run.Service(template=template(image)))
    google.rehearsal.fail_operation("UPDATE_SERVICE", "The region has no capacity.", code=8)
    changed = run.Service(name=service.name, template=template(image, "shop-b"))
    with pytest.raises(api.ResourceExhausted, match="no capacity"):
        google.run.update_service(service=changed).result(timeout=SECONDS)


def test_validate_only_makes_nothing(google: Clients, image: str) -> None:
    request = {"parent": google.region, "service_id": "shop", "service": run.Service(template=template(image))}
    done(google.run.create_service(request={**request, "validate_only": True}))
    assert list(google.run.list_services(parent=google.region)) == []
    name = f"{google.region}/services/shop"
    missing = run.Service(name=name, template=template(image))
    with pytest.raises(api.NotFound):
        google.run.update_service(service=missing)
    done(google.run.update_service(request={"service": missing, "allow_missing": True}))
    with pytest.raises(api.AlreadyExists):
        google.run.create_service(request=request)
    google.run.delete_service(name=name).result(timeout=SECONDS)
    assert not [each for each in google.rehearsal.contents() if each.kind.startswith("run:")]
