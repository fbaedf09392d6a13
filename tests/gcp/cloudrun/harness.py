"""What the tests of the target `cloudrun` have in common."""

from __future__ import annotations

import time

from google.api_core.exceptions import NotFound
from google.cloud import run_v2
from google.cloud.run_v2.services.services.transports import ServicesGrpcTransport

from mldeploy.providers.gcp.calls import open_channel
from mldeploy.providers.gcp.gcloud import Gcloud
from mldeploy.providers.gcp.identity import load_credentials
from mldeploy.rehearsal.gcp import GcpRehearsal
from tests.gcp.others import ANOTHER, SECONDS, Others

REGION = "us-central1"


def services_of(rehearsal: GcpRehearsal) -> run_v2.ServicesClient:
    """Another user's client of Cloud Run."""
    endpoints = rehearsal.endpoints
    identity = load_credentials(Gcloud.load(""), endpoints)
    channel = open_channel(identity, endpoints.service("grpc"), endpoints.ca_bundle)
    return run_v2.ServicesClient(transport=ServicesGrpcTransport(channel=channel))


def make_strangers(rehearsal: GcpRehearsal) -> None:
    """A repository of somebody who never heard of mldeploy, and the service of another app."""
    others = Others(rehearsal)
    others.make_repository("stranger")
    image = f"{_repository_uri(others, 'stranger')}/app:1"
    service = run_v2.Service(
        labels={**ANOTHER, "mldeploy-target": "cloudrun"},
        template=run_v2.RevisionTemplate(containers=[run_v2.Container(image=image)]),
    )
    # The image does not exist, so the service has no ready revision. It is there all the same.
    services_of(rehearsal).create_service(parent=others.parent(REGION), service_id="another", service=service)


def _repository_uri(others: Others, name: str) -> str:
    """A new repository may be missing in the first answers."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        try:
            return str(others.repository(name).registry_uri)
        except NotFound:
            continue
    raise AssertionError(f"{name} is not visible")
