"""What runs of an app on GKE, and how it is operated: the cluster may not be there."""

from __future__ import annotations

from mldeploy.config.settings import Project
from mldeploy.providers.base import Instance, Release
from mldeploy.providers.errors import AbsentError
from mldeploy.providers.gcp.gke.cloud import GkeCloud
from mldeploy.providers.gcp.gke.clusters import where
from mldeploy.providers.gcp.gke.settings import GkeSettings
from mldeploy.providers.kubernetes.api import Kube
from mldeploy.providers.kubernetes.operate import InClusterService


class GkeService(InClusterService):
    """Where there is no cluster, nothing runs; whoever wants something of it is told so."""

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
            self.enter()
        except AbsentError:
            return False
        return True


def service(cloud: GkeCloud, project: Project, settings: GkeSettings) -> GkeService:
    """Makes no call."""

    def enter() -> Kube:
        found = cloud.kube((cloud.cluster,))
        if found is None:
            what = f"does not run in {cloud.account.location} of {cloud.account.project}"
            raise AbsentError(where(cloud.cluster), what, "`mldeploy deploy --target gke` brings the app there.")
        return found

    return GkeService(enter, project, settings, cloud.owner)
