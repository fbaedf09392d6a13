"""The clients of the target `cloudrun`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client
from google.cloud.logging_v2.services.logging_service_v2.transports import LoggingServiceV2GrpcTransport
from google.cloud.run_v2 import RevisionsClient, ServicesClient
from google.cloud.run_v2.services.revisions.transports import RevisionsGrpcTransport
from google.cloud.run_v2.services.services.transports import ServicesGrpcTransport
from google.cloud.secretmanager_v1 import SecretManagerServiceClient
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import SecretManagerServiceGrpcTransport
from grpc import Channel

from mldeploy.image.engine import Engine
from mldeploy.providers.gcp.account import GcpProject
from mldeploy.providers.gcp.apis import LOGGING, RUN, SECRET_MANAGER
from mldeploy.providers.gcp.calls import open_channel
from mldeploy.providers.gcp.cloud import GRPC, GcpCloud, create_artifact_client
from mldeploy.providers.gcp.cloudrun.settings import CloudRunSettings
from mldeploy.providers.gcp.repository import TARGET as REGISTRY


@dataclass(frozen=True)
class CloudRunCloud(GcpCloud):
    """The clients of the registry, of Cloud Run, Secret Manager and Cloud Logging. Thread-safe."""

    services: ServicesClient
    revisions: RevisionsClient
    secret_manager: SecretManagerServiceClient
    logging: LoggingServiceV2Client

    @classmethod
    def of(cls, engine: Engine, account: GcpProject, app: str, settings: CloudRunSettings) -> CloudRunCloud:
        """Create all clients. Makes no call."""
        run = _open(account, RUN)
        return cls(
            engine,
            account,
            app,
            settings.repository or app,
            REGISTRY,
            create_artifact_client(account),
            ServicesClient(transport=ServicesGrpcTransport(channel=run)),
            RevisionsClient(transport=RevisionsGrpcTransport(channel=run)),
            SecretManagerServiceClient(
                transport=SecretManagerServiceGrpcTransport(channel=_open(account, SECRET_MANAGER))
            ),
            LoggingServiceV2Client(transport=LoggingServiceV2GrpcTransport(channel=_open(account, LOGGING))),
        )

    @property
    def service_path(self) -> str:
        """The full name of the app's service."""
        return f"{self.parent}/services/{self.app}"

    @property
    def trust(self) -> Path | None:
        """The certificates that the app's URL is checked against; None: the usual ones."""
        return self.account.endpoints.ca_bundle


def _open(account: GcpProject, host: str) -> Channel:
    endpoints = account.endpoints
    return open_channel(account.identity, endpoints.service(GRPC) or host, endpoints.ca_bundle)
