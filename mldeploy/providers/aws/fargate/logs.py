"""The log group that the tasks write to. https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.providers.aws.fargate.answers import passing, speaking_to
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.tags import belonging, is_ours

RETENTION = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
"""The days that PutRetentionPolicy takes."""


@dataclass(frozen=True)
class Group:
    """A log group. arn: without the `:*` that stands for its streams."""

    name: str
    arn: str
    retention: int


@speaking_to("logs")
@dataclass(frozen=True, eq=False)
class LogGroup(Step[FargateCloud, str]):
    """What the app says is kept for some days. Its output is the group's name."""

    kind: ClassVar[str] = "log-group"
    title: ClassVar[str] = "Create the log group"

    app: str
    retention: int
    """Days."""

    def key(self) -> Key:
        return Key(self.app)

    def probe(self, cloud: FargateCloud, outs: Outputs) -> Seen[str] | None:
        group = find(cloud, self.app)
        if group is None:
            return None
        drift = () if group.retention == self.retention else (f"{_days(group.retention)} → {_days(self.retention)}",)
        return Seen(group.name, drift, ours=_is_ours(cloud, group, self.app))

    def apply(self, cloud: FargateCloud, outs: Outputs, seen: Seen[str] | None, monitor: Monitor) -> str:
        name = name_of(self.app)
        if seen is None:
            with passing("ResourceAlreadyExistsException"):
                cloud.logs.create_log_group(logGroupName=name, tags=belonging(self.app))
        cloud.logs.put_retention_policy(logGroupName=name, retentionInDays=self.retention)
        return name

    @staticmethod
    def undo(cloud: FargateCloud, key: Key, monitor: Monitor) -> bool:
        if not is_there(cloud, key.name):
            return False
        with passing("ResourceNotFoundException"):
            cloud.logs.delete_log_group(logGroupName=name_of(key.name))
        return True


def name_of(app: str) -> str:
    return f"/mldeploy/{app}"


def find(cloud: FargateCloud, app: str) -> Group | None:
    """The app's log group, whoever made it."""
    name = name_of(app)
    for page in cloud.logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name):
        for group in page["logGroups"]:
            if group["logGroupName"] == name:
                return Group(name, group["arn"].removesuffix(":*"), group.get("retentionInDays", 0))
    return None


def is_there(cloud: FargateCloud, app: str) -> bool:
    """The app has a log group that is ours."""
    group = find(cloud, app)
    return group is not None and _is_ours(cloud, group, app)


def _is_ours(cloud: FargateCloud, group: Group, app: str) -> bool:
    return is_ours(cloud.logs.list_tags_for_resource(resourceArn=group.arn)["tags"], app)


def _days(retention: int) -> str:
    return f"kept for {retention} days" if retention else "kept for ever"
