"""The clients of the targets on Google Cloud."""

from __future__ import annotations

from dataclasses import dataclass

from google.cloud.artifactregistry_v1 import ArtifactRegistryClient
from google.cloud.artifactregistry_v1.services.artifact_registry.transports import ArtifactRegistryGrpcTransport

from mldeploy.image.engine import Engine
from mldeploy.providers.gcp.account import GcpProject
from mldeploy.providers.gcp.calls import open_channel

ARTIFACT_REGISTRY = "artifactregistry.googleapis.com"
GRPC = "grpc"
"""The name of all gRPC services in `Endpoints`, for stand-ins."""


@dataclass(frozen=True)
class GcpCloud:
    """The Google Cloud clients for one app, and the container engine. Thread-safe.

    repository: the id of the app's repository. target: the target that owns the repository, `gar` or `gcr`.
    """

    engine: Engine
    account: GcpProject
    app: str
    repository: str
    target: str
    artifacts: ArtifactRegistryClient

    @property
    def parent(self) -> str:
        """The parent of the repository: project and region, or multi-region."""
        return f"projects/{self.account.project}/locations/{self.account.region}"


def create_artifact_client(account: GcpProject) -> ArtifactRegistryClient:
    """A client of Artifact Registry. Makes no call."""
    endpoints = account.endpoints
    address = endpoints.service(GRPC) or ARTIFACT_REGISTRY
    transport = ArtifactRegistryGrpcTransport(channel=open_channel(account.identity, address, endpoints.ca_bundle))
    return ArtifactRegistryClient(transport=transport)
