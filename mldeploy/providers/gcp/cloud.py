"""The clients of the targets on Google Cloud."""

from __future__ import annotations

from dataclasses import dataclass

from google.cloud.artifactregistry_v1 import ArtifactRegistryClient
from google.cloud.artifactregistry_v1.services.artifact_registry.transports import ArtifactRegistryGrpcTransport

from mldeploy.image.engine import Engine
from mldeploy.providers.gcp.account import Account
from mldeploy.providers.gcp.calls import channel

ARTIFACT_REGISTRY = "artifactregistry.googleapis.com"
GRPC = "grpc"
"""The name under which a stand-in says where all gRPC services answer."""


@dataclass(frozen=True)
class GcpCloud:
    """A project, for one app, and the engine that builds for it. Clients may be used from several threads.

    repository: the id of the app's repository. target: whose the repository is, `gar` or `gcr`.
    """

    engine: Engine
    account: Account
    app: str
    repository: str
    target: str
    artifacts: ArtifactRegistryClient

    @property
    def parent(self) -> str:
        """Where the repository is: its region, or its continent."""
        return f"projects/{self.account.project}/locations/{self.account.region}"


def artifacts(account: Account) -> ArtifactRegistryClient:
    """A client of Artifact Registry. Makes no call."""
    endpoints = account.endpoints
    address = endpoints.service(GRPC) or ARTIFACT_REGISTRY
    transport = ArtifactRegistryGrpcTransport(channel=channel(account.identity, address, endpoints.ca_bundle))
    return ArtifactRegistryClient(transport=transport)
