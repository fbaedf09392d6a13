"""Operate a deployed app on GKE."""

from __future__ import annotations

from mldeploy.config.settings import Project
from mldeploy.providers.base import Instance, Release
from mldeploy.providers.errors import AbsentError
from mldeploy.providers.gcp.gke.cloud import GkeCloud
from mldeploy.providers.gcp.gke.clusters import where
from mldeploy.providers.gcp.gke.settings import GkeSettings
from mldeploy.providers.kubernetes.api import KubeClient
from mldeploy.providers.kubernetes.operations import InClusterService


class GkeService(InClusterService):
    """The app in its cluster. If the cluster does not exist, nothing runs and other operations raise AbsentError."""

    def instances(self) -> tuple[Instance, ...]:
        return super().instances() if self._has_cluster() else ()

    def url(self) -> str | None:
        return super().url() if self._has_cluster() else None

    def stop(self) -> bool:
        return self._has_cluster() and super().stop()

    def releases(self) -> tuple[Release, ...]:
        return super().releases() if self._has_cluster() else ()

    def _has_cluster(self) -> bool:
        try:
            self.connect()
        except AbsentError:
            return False
        return True


def create_service(cloud: GkeCloud, project: Project, settings: GkeSettings) -> GkeService:
    """The service of the app in its cluster. Makes no call."""

    def connect() -> KubeClient:
        kube = cloud.kube((cloud.cluster,))
        if kube is None:
            what = f"does not run in {cloud.account.location} of {cloud.account.project}"
            raise AbsentError(where(cloud.cluster), what, "Run `mldeploy deploy --target gke`.")
        return kube

    return GkeService(connect, project, settings, cloud.owner)
