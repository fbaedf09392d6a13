"""What the tests of the target `cloudrun` have in common."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from google.api_core.exceptions import NotFound
from google.cloud import run_v2
from google.cloud import secretmanager_v1 as secretmanager
from google.cloud.run_v2.services.services.transports import ServicesGrpcTransport
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import SecretManagerServiceGrpcTransport

from mldeploy.config.secret import Secret
from mldeploy.config.settings import Project
from mldeploy.core import verbs
from mldeploy.core.events import ignore
from mldeploy.core.journal import Journal, Scope, Session
from mldeploy.core.monitor import Cancel
from mldeploy.providers.base import Address
from mldeploy.providers.capabilities import Finding
from mldeploy.providers.gcp.calls import open_channel
from mldeploy.providers.gcp.cloudrun.cloud import CloudRunCloud
from mldeploy.providers.gcp.cloudrun.operations import CloudRunOperations
from mldeploy.providers.gcp.cloudrun.provider import provider
from mldeploy.providers.gcp.cloudrun.settings import CloudRunSettings
from mldeploy.providers.gcp.cloudrun.traffic import CloudRunTraffic
from mldeploy.providers.gcp.gcloud import Gcloud
from mldeploy.providers.gcp.identity import load_credentials
from mldeploy.providers.traffic import Candidate
from mldeploy.rehearsal.gcp import GcpRehearsal
from mldeploy.testing.scene import DeploymentUnderTest
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
        template=run_v2.RevisionTemplate(revision="another-00001-abc", containers=[run_v2.Container(image=image)]),
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


@dataclass(frozen=True)
class RunHarness:
    """One app on the rehearsal. app: the project of the folder. keys: of [target.cloudrun]."""

    rehearsal: GcpRehearsal
    app: Project
    state: Path
    keys: Mapping[str, object]

    @property
    def settings(self) -> CloudRunSettings:
        return CloudRunSettings.model_validate(self.keys)

    @property
    def scene(self) -> DeploymentUnderTest:
        return DeploymentUnderTest(provider, self.settings, self.rehearsal.endpoints, self.app, self.state)

    @property
    def service(self) -> CloudRunOperations:
        return provider.service(self.connect(), self.app, self.settings)

    @property
    def traffic(self) -> CloudRunTraffic:
        return provider.traffic(self.connect(), self.app, self.settings)

    def connect(self) -> CloudRunCloud:
        return provider.connect(self.app, self.settings, self.rehearsal.endpoints)

    def having(self, **keys: object) -> RunHarness:
        """With other settings."""
        return replace(self, keys={**self.keys, **keys})

    def greeting(self, text: str) -> RunHarness:
        """Another version."""
        env = (("GREETING", Secret(text, is_public=True)),)
        return replace(self, app=replace(self.app, app=replace(self.app.app, env=env)))

    def expecting(self, answer: object) -> RunHarness:
        """With a golden row. An instance without a container answers {}."""
        file = self.state.with_name("golden.json")
        file.write_text(json.dumps({"path": "/predict", "request": {}, "expect": answer}))
        return replace(self, app=replace(self.app, check=replace(self.app.check, golden=file)))

    def deploy(self) -> Address:
        out = self.scene.deploy().out
        assert isinstance(out, Address)
        return out

    def offer(self) -> Candidate:
        """`mldeploy deploy --canary`, before any traffic."""
        cloud = self.connect()
        with Journal(self.state, Scope(self.app.app.name, provider.name, provider.place(cloud)), "test") as journal:
            session = Session(cloud, journal, Cancel(), ignore)
            return verbs.deploy(provider.candidate(self.app, self.settings), session).out

    def reasons(self) -> list[str]:
        """Why a deployment would change something."""
        return [reason for change in self.scene.plan().changes for reason in change.reasons]

    def diagnose(self) -> list[Finding]:
        return list(provider.diagnose(self.app, self.settings, self.rehearsal.endpoints))


def make_secret(run: RunHarness, name: str) -> None:
    """A secret of somebody else with the value `value`."""
    endpoints = run.rehearsal.endpoints
    identity = load_credentials(Gcloud.load(""), endpoints)
    channel = open_channel(identity, endpoints.service("grpc"), endpoints.ca_bundle)
    client = secretmanager.SecretManagerServiceClient(transport=SecretManagerServiceGrpcTransport(channel=channel))
    secret = secretmanager.Secret(
        replication=secretmanager.Replication(automatic=secretmanager.Replication.Automatic())
    )
    made = client.create_secret(parent=f"projects/{run.connect().account.project}", secret_id=name, secret=secret)
    client.add_secret_version(parent=made.name, payload=secretmanager.SecretPayload(data=b"value"))
