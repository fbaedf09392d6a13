"""The SDK's clients of a rehearsal, as a provider makes them."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import urljoin

import grpc
import requests
from google.api_core.operation import Operation
from google.auth.transport.grpc import AuthMetadataPlugin
from google.auth.transport.requests import Request
from google.cloud import artifactregistry_v1 as ar
from google.cloud import container_v1 as gke
from google.cloud import secretmanager_v1 as sm
from google.cloud import service_usage_v1 as su
from google.cloud.artifactregistry_v1.services.artifact_registry.transports import ArtifactRegistryGrpcTransport
from google.cloud.container_v1.services.cluster_manager.transports import ClusterManagerGrpcTransport
from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client
from google.cloud.logging_v2.services.logging_service_v2.transports import LoggingServiceV2GrpcTransport
from google.cloud.run_v2 import RevisionsClient, Service, ServicesClient
from google.cloud.run_v2.services.revisions.transports import RevisionsGrpcTransport
from google.cloud.run_v2.services.services.transports import ServicesGrpcTransport
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import SecretManagerServiceGrpcTransport
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

    @cached_property
    def run(self) -> ServicesClient:
        return ServicesClient(transport=ServicesGrpcTransport(channel=self.channel))

    @cached_property
    def revisions(self) -> RevisionsClient:
        return RevisionsClient(transport=RevisionsGrpcTransport(channel=self.channel))

    @cached_property
    def secrets(self) -> sm.SecretManagerServiceClient:
        return sm.SecretManagerServiceClient(transport=SecretManagerServiceGrpcTransport(channel=self.channel))

    @cached_property
    def logging(self) -> LoggingServiceV2Client:
        return LoggingServiceV2Client(transport=LoggingServiceV2GrpcTransport(channel=self.channel))

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

    def accounts(self, path: str = "", method: str = "GET", body: object = None) -> requests.Response:
        """A request to IAM; path: beyond the service accounts."""
        url = f"{self.rehearsal.endpoints.service('iam')}/v1/projects/{self.project}/serviceAccounts{path}"
        bearer = {"Authorization": f"Bearer {self.password()}"}
        return self.session.request(method, url, headers=bearer, json=body, timeout=120)

    def identity(self, audience: str) -> str:
        """An ID token for a service."""
        info = json.loads(self.rehearsal.record.credentials["service_account"])
        made = service_account.IDTokenCredentials.from_service_account_info(info, target_audience=audience)
        made.refresh(Request(self.session))
        return str(made.token)

    def ask(self, url: str, token: str = "", host: str = "", method: str = "GET") -> requests.Response:
        """A request to a service. host: another Host header."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self.session.request(method, url, headers={**headers, **({"Host": host} if host else {})}, timeout=120)

    def push(self, repository: str = "app", architecture: str = "amd64") -> str:
        """Push an image without layers, and return it by its digest."""
        name = f"{self.project}/{repository}/app"
        base, login = f"http://{self.rehearsal.record.registry}/v2/{name}", ("oauth2accesstoken", self.password())
        config = json.dumps({"architecture": architecture, "os": "linux", "config": {}}).encode()
        digest = f"sha256:{hashlib.sha256(config).hexdigest()}"
        begun = self.session.post(f"{base}/blobs/uploads/", auth=login, timeout=120)
        begun.raise_for_status()
        where = urljoin(f"{base}/", begun.headers["Location"])
        self.session.put(where, config, params={"digest": digest}, auth=login, timeout=120).raise_for_status()
        kind = "application/vnd.oci.image.manifest.v1+json"
        described = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": len(config)}
        manifest = json.dumps({"schemaVersion": 2, "mediaType": kind, "config": described, "layers": []})
        put = self.session.put(
            f"{base}/manifests/v1", manifest, headers={"Content-Type": kind}, auth=login, timeout=120
        )
        put.raise_for_status()
        return f"{self.rehearsal.record.registry}/{name}@{put.headers['Docker-Content-Digest']}"

    def deploy(self, service: Service, name: str = "shop") -> Service:
        """Make a service, and return once it serves."""
        return done(self.run.create_service(parent=self.region, service=service, service_id=name))

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


def done(operation: Operation) -> Service:
    """The service, once an operation of Cloud Run has succeeded."""
    result = operation.result(timeout=SECONDS)
    assert isinstance(result, Service)
    return result
