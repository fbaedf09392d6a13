"""SDK clients of another user in the same project."""

from __future__ import annotations

import json
import time

from google.cloud import artifactregistry_v1 as ar
from google.cloud import container_v1 as gke
from google.cloud import service_usage_v1 as usage
from google.cloud.artifactregistry_v1.services.artifact_registry.transports import ArtifactRegistryGrpcTransport
from google.cloud.container_v1.services.cluster_manager.transports import ClusterManagerGrpcTransport
from google.cloud.service_usage_v1.services.service_usage.transports import ServiceUsageGrpcTransport

from mldeploy.providers.gcp.calls import open_channel
from mldeploy.providers.gcp.gcloud import Gcloud
from mldeploy.providers.gcp.identity import load_credentials
from mldeploy.rehearsal.gcp import GcpRehearsal

ANOTHER = {"mldeploy-app": "another", "mldeploy-target": "gar"}
"""The labels of another app's repository."""
SECONDS = 300.0
"""It ends what hangs."""


class Others:
    """Clients with the rehearsal's key."""

    def __init__(self, rehearsal: GcpRehearsal) -> None:
        endpoints = rehearsal.endpoints
        identity = load_credentials(Gcloud.load(""), endpoints)
        made = open_channel(identity, endpoints.service("grpc"), endpoints.ca_bundle)
        self.artifacts = ar.ArtifactRegistryClient(transport=ArtifactRegistryGrpcTransport(channel=made))
        self.clusters = gke.ClusterManagerClient(transport=ClusterManagerGrpcTransport(channel=made))
        self.usage = usage.ServiceUsageClient(transport=ServiceUsageGrpcTransport(channel=made))
        key = endpoints.credential("service_account")
        assert key is not None
        self.project = str(json.loads(key.reveal())["project_id"])

    def parent(self, location: str) -> str:
        return f"projects/{self.project}/locations/{location}"

    def make_repository(self, name: str, location: str = "us-central1", **labels: str) -> None:
        repository = ar.Repository(format_=ar.Repository.Format.DOCKER, labels=labels)
        self.artifacts.create_repository(
            parent=self.parent(location), repository_id=name, repository=repository
        ).result(timeout=SECONDS)

    def await_operation(self, parent: str, operation: gke.Operation) -> None:
        """Wait until Kubernetes Engine has done it. parent: its location."""
        deadline = time.monotonic() + SECONDS
        while operation.status != gke.Operation.Status.DONE:
            assert time.monotonic() < deadline, f"{operation.name} does not end"
            time.sleep(0.05)
            operation = self.clusters.get_operation(name=f"{parent}/operations/{operation.name}")

    def repository(self, name: str, location: str = "us-central1") -> ar.Repository:
        return self.artifacts.get_repository(name=f"{self.parent(location)}/repositories/{name}")

    def images(self, repository: str, location: str = "us-central1") -> list[ar.DockerImage]:
        return list(self.artifacts.list_docker_images(parent=f"{self.parent(location)}/repositories/{repository}"))

    def disable(self, service: str) -> None:
        """Turn an API off."""
        name = f"projects/{self.project}/services/{service}"
        self.usage.disable_service(request={"name": name}).result(timeout=SECONDS)
