"""A harness for the cluster step, run in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from google.cloud import container_v1 as gke

from mldeploy.config.load import named
from mldeploy.config.settings import Project
from mldeploy.core import verbs
from mldeploy.core.events import Event, ignore
from mldeploy.core.journal import Journal, Scope, Session
from mldeploy.core.monitor import Cancel
from mldeploy.core.step import Key, Resource
from mldeploy.providers.capabilities import Finding
from mldeploy.providers.gcp.gke.cloud import GkeCloud
from mldeploy.providers.gcp.gke.cluster import GkeCluster
from mldeploy.providers.gcp.gke.provider import GkeProvider
from mldeploy.providers.gcp.gke.settings import GkeSettings
from mldeploy.providers.kubernetes.api import KubeClient
from mldeploy.rehearsal.gcp import GcpRehearsal
from tests.gcp.others import Others

APP = "insurance"


@dataclass
class ClusterHarness:
    """A project on the rehearsal. state: the folder of the journals."""

    rehearsal: GcpRehearsal
    state: Path
    keys: dict[str, object] = field(default_factory=dict)
    heard: list[Event] = field(default_factory=list)
    platform: str = "linux/amd64"

    @property
    def settings(self) -> GkeSettings:
        return GkeSettings.model_validate(self.keys)

    @property
    def project(self) -> Project:
        return named(APP, "--app")

    @property
    def others(self) -> Others:
        return Others(self.rehearsal)

    def connect(self) -> GkeCloud:
        return GkeProvider().connect(self.project, self.settings, self.rehearsal.endpoints)

    def deploy(self, *, replace: bool = False) -> verbs.Deployed[KubeClient]:
        with self._session() as session:
            return verbs.deploy(GkeCluster(APP, self.settings, self.platform), session, replace=replace)

    def reasons(self) -> tuple[str, ...]:
        """The reasons for which a deployment changes the cluster."""
        (change,) = verbs.plan(GkeCluster(APP, self.settings, self.platform), self.connect(), Cancel()).changes
        return change.reasons

    def destroy(self) -> verbs.Destroyed:
        with self._session() as session:
            return verbs.destroy(
                GkeProvider.kinds,
                session,
                named=[Resource(GkeCluster.kind, Key(APP))],
                inventory=lambda: GkeProvider().inventory(session.cloud, self.project),
            )

    def clusters(self) -> list[gke.Cluster]:
        """All clusters of the project."""
        return list(self.others.clusters.list_clusters(parent=self.others.parent("-")).clusters)

    def diagnose(self) -> list[Finding]:
        """The findings of the doctor."""
        return list(GkeProvider().diagnose(self.project, self.settings, self.rehearsal.endpoints))

    @contextmanager
    def _session(self) -> Iterator[Session[GkeCloud]]:
        cloud = self.connect()
        with Journal(self.state, Scope(APP, "gke", cloud.account.scope), "test") as journal:
            yield Session(cloud, journal, Cancel(), self.heard.append if self.heard else ignore)
