"""The SDK's clients of a rehearsal, as a provider makes them."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import grpc
import requests
from google.auth.transport.grpc import AuthMetadataPlugin
from google.auth.transport.requests import Request
from google.cloud import artifactregistry_v1 as ar
from google.cloud import container_v1 as gke
from google.cloud import service_usage_v1 as su
from google.cloud.artifactregistry_v1.services.artifact_registry.transports import ArtifactRegistryGrpcTransport
from google.cloud.container_v1.services.cluster_manager.transports import ClusterManagerGrpcTransport
from google.cloud.service_usage_v1.services.service_usage.transports import ServiceUsageGrpcTransport
from google.oauth2 import service_account

from mldeploy.rehearsal.gcp import GcpRehearsal

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
SECONDS = 600.0


@dataclass(frozen=True)
class Clients:
    """token: another one than the account's own; None: it is fetched. Nothing is tried again."""

    rehearsal: GcpRehearsal
    token: str | None = None

    @cached_property
    def session(self) -> requests.Session:
        session = requests.Session()
        session.verify = str(self.rehearsal.endpoints.ca_bundle)
        session.trust_env = False
        return session

    @cached_property
    def credentials(self) -> service_account.Credentials:
        given = self.rehearsal.endpoints.credential("service_account")
        assert given is not None
        key = json.loads(given.reveal())
        made: service_account.Credentials = service_account.Credentials.from_service_account_info(key, scopes=[SCOPE])
        return made

    @cached_property
    def channel(self) -> grpc.Channel:
        roots = Path(self.rehearsal.record.ca_bundle).read_bytes()
        secured = grpc.ssl_channel_credentials(root_certificates=roots)
        calls = (
            grpc.metadata_call_credentials(AuthMetadataPlugin(self.credentials, Request(self.session)))
            if self.token is None
            else grpc.access_token_call_credentials(self.token)
        )
        return grpc.secure_channel(
            self.rehearsal.endpoints.service("grpc"), grpc.composite_channel_credentials(secured, calls)
        )

    @cached_property
    def clusters(self) -> gke.ClusterManagerClient:
        return gke.ClusterManagerClient(transport=ClusterManagerGrpcTransport(channel=self.channel))

    @cached_property
    def artifacts(self) -> ar.ArtifactRegistryClient:
        return ar.ArtifactRegistryClient(transport=ArtifactRegistryGrpcTransport(channel=self.channel))

    @cached_property
    def services(self) -> su.ServiceUsageClient:
        return su.ServiceUsageClient(transport=ServiceUsageGrpcTransport(channel=self.channel))

    @property
    def project(self) -> str:
        return str(self.credentials.project_id)

    @property
    def region(self) -> str:
        return f"projects/{self.project}/locations/{self.rehearsal.record.region}"

    @property
    def zone(self) -> str:
        return f"{self.region}-a"

    def password(self) -> str:
        """For the registry."""
        if self.token is not None:
            return self.token
        if not self.credentials.valid:
            self.credentials.refresh(Request(self.session))
        return str(self.credentials.token)

    def compute(self, path: str, method: str = "GET") -> requests.Response:
        """A request to Compute Engine; path: beyond the project."""
        url = f"{self.rehearsal.endpoints.service('compute')}/compute/v1/projects/{self.project}{path}"
        return self.session.request(method, url, headers={"Authorization": f"Bearer {self.password()}"}, timeout=120)

    def close(self) -> None:
        """Close the connections that have been used."""
        if "channel" in vars(self):
            self.channel.close()
        if "session" in vars(self):
            self.session.close()

    def repository(self, name: str = "app", **more: object) -> ar.Repository:
        """Make one, and return once it is there."""
        made = ar.Repository(format_="DOCKER", **more)
        created = self.artifacts.create_repository(parent=self.region, repository_id=name, repository=made)
        result = created.result(timeout=SECONDS)
        assert isinstance(result, ar.Repository)
        return result

    def autopilot(self, name: str = "c") -> gke.Cluster:
        """Make a cluster, and return once it runs."""
        cluster = gke.Cluster(name=name, autopilot=gke.Autopilot(enabled=True))
        done = self.finished(self.clusters.create_cluster(parent=self.region, cluster=cluster))
        assert not done.error.code, done.error.message
        return self.clusters.get_cluster(name=f"{self.region}/clusters/{name}")

    def finished(self, operation: gke.Operation) -> gke.Operation:
        """The operation, once it is done."""
        name = f"projects/{self.project}/locations/{operation.location}/operations/{operation.name}"
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            result = self.clusters.get_operation(name=name)
            if result.status == gke.Operation.Status.DONE:
                return result
            time.sleep(0.02)
        raise AssertionError(f"{operation.name} is not done within {SECONDS:.0f} s")
