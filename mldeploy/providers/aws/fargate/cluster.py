"""The ECS cluster: a name under which the service stands. On Fargate it has no machines and costs nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from mldeploy.core.errors import RefusedError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.providers.aws.fargate.answers import passing, speaking_to
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.tags import belonging, is_ours, name, read
from mldeploy.providers.aws.fargate.waiting import until_gone

if TYPE_CHECKING:
    from types_boto3_ecs.type_defs import ClusterTypeDef

READY_SECONDS = 120.0


@speaking_to("ecs")
@dataclass(frozen=True, eq=False)
class Cluster(Step[FargateCloud, str]):
    """The app's own cluster. Its output is the cluster's name."""

    kind: ClassVar[str] = "ecs-cluster"
    title: ClassVar[str] = "Create the ECS cluster"

    app: str

    def key(self) -> Key:
        return Key(self.app)

    def probe(self, cloud: FargateCloud, outs: Outputs) -> Seen[str] | None:
        found = find(cloud, self.app)
        if found is None:
            return None
        drift = () if found["status"] == "ACTIVE" else (f"{found['status']} → ACTIVE",)
        return Seen(name(self.app), drift, ours=_is_ours(found, self.app))

    def apply(self, cloud: FargateCloud, outs: Outputs, seen: Seen[str] | None, monitor: Monitor) -> str:
        if seen is None:
            tags = [{"key": key, "value": value} for key, value in belonging(self.app).items()]
            cloud.ecs.create_cluster(clusterName=name(self.app), tags=tags)  # type: ignore[arg-type]
        for _ in monitor.attempts(every=0.5, within=READY_SECONDS):
            found = find(cloud, self.app)
            if found is not None and not _is_ours(found, self.app):
                raise RefusedError(name(self.app), "was made by somebody else meanwhile", "Delete or rename it.")
            if found is not None and found["status"] == "ACTIVE":
                return name(self.app)
        raise RefusedError(name(self.app), f"does not become active within {READY_SECONDS:.0f} s", "Try again later.")

    @staticmethod
    def undo(cloud: FargateCloud, key: Key, monitor: Monitor) -> bool:
        """Waits for the last tasks: while they stop, the cluster cannot be deleted."""
        if not is_there(cloud, key.name):
            return False
        monitor.progress(Progress("", "waiting until its last task has stopped"))
        until_gone(monitor, name(key.name), lambda: _deleted(cloud, key.name))
        return True


def find(cloud: FargateCloud, app: str) -> ClusterTypeDef | None:
    """The app's cluster, whoever made it; one that is INACTIVE is gone, and AWS only remembers its name."""
    found = cloud.ecs.describe_clusters(clusters=[name(app)], include=["TAGS"])["clusters"]
    return next((each for each in found if each["status"] != "INACTIVE"), None)


def is_there(cloud: FargateCloud, app: str) -> bool:
    """The app has a cluster that is ours."""
    found = find(cloud, app)
    return found is not None and _is_ours(found, app)


def _is_ours(cluster: ClusterTypeDef, app: str) -> bool:
    return is_ours(read(cluster.get("tags", ())), app)


def _deleted(cloud: FargateCloud, app: str) -> bool:
    busy = ("ClusterContainsTasksException", "ClusterContainsServicesException", "UpdateInProgressException")
    with passing(*busy, "ClusterNotFoundException"):
        cloud.ecs.delete_cluster(cluster=name(app))
    return find(cloud, app) is None
