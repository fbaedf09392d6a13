"""The ECS cluster: a name under which the service stands. On Fargate it has no machines and costs nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from mldeploy.core.errors import RefusedError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.errors import ignore_codes, retry_while_young, translate_errors, wait_until_gone
from mldeploy.providers.aws.fargate.tags import is_owned, owner_tags, read_tags, resource_name

if TYPE_CHECKING:
    from types_boto3_ecs.type_defs import ClusterTypeDef
from collections.abc import Mapping
from types import MappingProxyType

READY_SECONDS = 120.0


@translate_errors("ecs")
@dataclass(frozen=True, eq=False)
class EcsCluster(Step[FargateCloud, str]):
    """The app's own cluster. Its output is the cluster's name."""

    kind: ClassVar[str] = "ecs-cluster"
    title: ClassVar[str] = "Create the ECS cluster"

    app: str

    def key(self) -> Key:
        return Key(self.app)

    def probe(self, cloud: FargateCloud, outs: Outputs) -> Seen[str] | None:
        cluster = find_cluster(cloud, self.app)
        if cluster is None:
            return None
        drift = () if cluster["status"] == "ACTIVE" else (f"{cluster['status']} → ACTIVE",)
        return Seen(resource_name(self.app), drift, ours=_is_owned(cluster, self.app))

    def apply(self, cloud: FargateCloud, outs: Outputs, seen: Seen[str] | None, monitor: Monitor) -> str:
        if seen is None:
            tags = [{"key": key, "value": value} for key, value in owner_tags(self.app).items()]
            name = resource_name(self.app)
            retry_while_young(monitor, lambda: cloud.ecs.create_cluster(clusterName=name, tags=tags))  # type: ignore[arg-type]
        for _ in monitor.attempts(every=0.5, within=READY_SECONDS):
            cluster = find_cluster(cloud, self.app)
            if cluster is not None and not _is_owned(cluster, self.app):
                raise RefusedError(
                    resource_name(self.app), "was made by somebody else meanwhile", "Delete or rename it."
                )
            if cluster is not None and cluster["status"] == "ACTIVE":
                return resource_name(self.app)
        raise RefusedError(
            resource_name(self.app), f"does not become active within {READY_SECONDS:.0f} s", "Try again later."
        )

    @staticmethod
    def undo(cloud: FargateCloud, key: Key, monitor: Monitor) -> bool:
        """Waits for the last tasks: while they stop, the cluster cannot be deleted."""
        if not owned_cluster_exists(cloud, key.name):
            return False
        monitor.progress(Progress("", "waiting until its last task has stopped"))
        wait_until_gone(monitor, resource_name(key.name), lambda: _try_delete(cloud, key.name))
        return True


def find_cluster(cloud: FargateCloud, app: str) -> ClusterTypeDef | None:
    """The app's cluster, whoever made it; one that is INACTIVE is gone, and AWS only remembers its name."""
    clusters = cloud.ecs.describe_clusters(clusters=[resource_name(app)], include=["TAGS"])["clusters"]
    return next((each for each in clusters if each["status"] != "INACTIVE"), None)


def owned_cluster_exists(cloud: FargateCloud, app: str) -> bool:
    """The app has a cluster that is ours."""
    cluster = find_cluster(cloud, app)
    return cluster is not None and _is_owned(cluster, app)


def _is_owned(cluster: ClusterTypeDef, app: str) -> bool:
    return is_owned(read_tags(cluster.get("tags", ())), app)


def _try_delete(cloud: FargateCloud, app: str) -> bool:
    busy = ("ClusterContainsTasksException", "ClusterContainsServicesException", "UpdateInProgressException")
    with ignore_codes(*busy, "ClusterNotFoundException"):
        cloud.ecs.delete_cluster(cluster=resource_name(app))
    return find_cluster(cloud, app) is None


GIB = 1024

MEMORY: Mapping[int, tuple[int, ...]] = MappingProxyType(
    {
        256: (512, 1 * GIB, 2 * GIB),
        512: tuple(range(1 * GIB, 4 * GIB + 1, GIB)),
        1024: tuple(range(2 * GIB, 8 * GIB + 1, GIB)),
        2048: tuple(range(4 * GIB, 16 * GIB + 1, GIB)),
        4096: tuple(range(8 * GIB, 30 * GIB + 1, GIB)),
        8192: tuple(range(16 * GIB, 60 * GIB + 1, 4 * GIB)),
        16384: tuple(range(32 * GIB, 120 * GIB + 1, 8 * GIB)),
    }
)
"""CPU units (1024 are one vCPU) → the MiB of memory that go with them."""


@dataclass(frozen=True)
class Size:
    """A task's size. cpu: units, 1024 are one vCPU. memory: MiB."""

    cpu: int
    memory: int

    @property
    def is_valid(self) -> bool:
        return self.memory in MEMORY.get(self.cpu, ())

    def __str__(self) -> str:
        return f"{self.cpu / 1024:g} vCPU, {self.memory / GIB:g} GiB"


def smallest_size(cpus: float, memory: int) -> Size | None:
    """The smallest size that has so many CPUs and so many MiB; None if Fargate has none."""
    for cpu, offered in MEMORY.items():
        if cpu >= cpus * 1024 and offered[-1] >= memory:
            return Size(cpu, next(each for each in offered if each >= memory))
    return None


def nearest_memory(cpu: int, memory: int) -> tuple[int, ...]:
    """The memories around this one that go with this CPU, at most two."""
    offered = MEMORY[cpu]
    below = [each for each in offered if each < memory][-1:]
    above = [each for each in offered if each > memory][:1]
    return (*below, *above)
