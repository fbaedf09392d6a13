"""Parts of services of Cloud Run, for tests."""

from __future__ import annotations

from typing import Any

from google.cloud import run_v2 as run
from google.iam.v1 import policy_pb2

from tests.rehearsal.gcp.clients import Clients

Kind = run.TrafficTargetAllocationType
LATEST, REVISION = Kind.TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST, Kind.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION
SUCCEEDED, FAILED = run.Condition.State.CONDITION_SUCCEEDED, run.Condition.State.CONDITION_FAILED
PUBLIC = policy_pb2.Policy(bindings=[policy_pb2.Binding(role="roles/run.invoker", members=["allUsers"])])


def template(image: str, revision: str = "", **more: Any) -> run.RevisionTemplate:
    container = run.Container(image=image, env=[run.EnvVar(name="VERSION", value=revision)])
    return run.RevisionTemplate(revision=revision, containers=[container], **more)


def target(revision: str, percent: int, tag: str = "") -> run.TrafficTarget:
    return run.TrafficTarget(type_=REVISION, revision=revision, percent=percent, tag=tag)


def publish(google: Clients, service: run.Service) -> None:
    google.run.set_iam_policy(request={"resource": service.name, "policy": PUBLIC})


def revision_of(google: Clients, url: str, token: str = "", host: str = "") -> str:
    """Which revision answers there."""
    answer = google.ask(f"{url}/environment", token, host)
    assert answer.ok, answer.text
    return str(answer.json()["K_REVISION"])
