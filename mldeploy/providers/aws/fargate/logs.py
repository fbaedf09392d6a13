"""The log group that the tasks write to. https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.errors import ignore_codes, translate_errors
from mldeploy.providers.aws.fargate.tags import is_owned, owner_tags
from mldeploy.providers.errors import AbsentError

RETENTION = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
"""The days that PutRetentionPolicy takes."""


@dataclass(frozen=True)
class LogGroupInfo:
    """A log group. arn: without the `:*` that stands for its streams."""

    name: str
    arn: str
    retention: int


@translate_errors("logs")
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
        group = find_log_group(cloud, self.app)
        if group is None:
            return None
        drift = (
            ()
            if group.retention == self.retention
            else (f"{_describe_retention(group.retention)} → {_describe_retention(self.retention)}",)
        )
        return Seen(group.name, drift, ours=_is_owned(cloud, group, self.app))

    def apply(self, cloud: FargateCloud, outs: Outputs, seen: Seen[str] | None, monitor: Monitor) -> str:
        name = log_group_name(self.app)
        if seen is None:
            with ignore_codes("ResourceAlreadyExistsException"):
                cloud.logs.create_log_group(logGroupName=name, tags=owner_tags(self.app))
        cloud.logs.put_retention_policy(logGroupName=name, retentionInDays=self.retention)
        return name

    @staticmethod
    def undo(cloud: FargateCloud, key: Key, monitor: Monitor) -> bool:
        if not owned_log_group_exists(cloud, key.name):
            return False
        with ignore_codes("ResourceNotFoundException"):
            cloud.logs.delete_log_group(logGroupName=log_group_name(key.name))
        return True


def log_group_name(app: str) -> str:
    return f"/mldeploy/{app}"


def find_log_group(cloud: FargateCloud, app: str) -> LogGroupInfo | None:
    """The app's log group, whoever made it."""
    name = log_group_name(app)
    for page in cloud.logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name):
        for group in page["logGroups"]:
            if group["logGroupName"] == name:
                return LogGroupInfo(name, group["arn"].removesuffix(":*"), group.get("retentionInDays", 0))
    return None


def owned_log_group_exists(cloud: FargateCloud, app: str) -> bool:
    """The app has a log group that is ours."""
    group = find_log_group(cloud, app)
    return group is not None and _is_owned(cloud, group, app)


def _is_owned(cloud: FargateCloud, group: LogGroupInfo, app: str) -> bool:
    return is_owned(cloud.logs.list_tags_for_resource(resourceArn=group.arn)["tags"], app)


def _describe_retention(retention: int) -> str:
    return f"kept for {retention} days" if retention else "kept for ever"


POLL_SECONDS = 1.0
LATE_SECONDS = 10.0
"""So late a line may still come: each task has a stream of its own, and none waits for another."""
WINDOWS = (900.0, 21_600.0, 604_800.0)
"""Seconds back in which the last lines of a log are looked for, before all of it is read."""


@dataclass(frozen=True, order=True)
class TaskLogLine:
    """moment: milliseconds since the epoch. event: the service's own id of it."""

    moment: int
    event: str
    text: str


@dataclass(frozen=True)
class TaskLogs:
    """The lines of all tasks, in the order of their times."""

    cloud: FargateCloud
    app: str

    def lines(self, *, follow: bool, tail: int) -> Iterator[str]:
        """The last `tail` lines (0: all), then what comes, each once. Raises AbsentError if there is no log group."""
        known_lines = self._read_last(tail)
        yield from (line.text for line in known_lines[-tail:])
        while follow:
            time.sleep(POLL_SECONDS)
            known_ids = {line.event for line in known_lines}
            new_lines = self._read_since(_resume_time(known_lines))
            yield from (line.text for line in new_lines if line.event not in known_ids)
            known_lines = new_lines or known_lines

    def _read_last(self, tail: int) -> list[TaskLogLine]:
        """At least so many, if there are."""
        for window in WINDOWS if tail else ():
            lines = self._read_since(round((time.time() - window) * 1000))
            if len(lines) >= tail:
                return lines
        return self._read_since(0)

    def _read_since(self, moment: int) -> list[TaskLogLine]:
        lines: list[TaskLogLine] = []
        with ignore_codes("ResourceNotFoundException"):
            pages = self.cloud.logs.get_paginator("filter_log_events").paginate(
                logGroupName=log_group_name(self.app), startTime=moment
            )
            for page in pages:
                lines += [
                    TaskLogLine(each["timestamp"], each["eventId"], each["message"].rstrip("\n"))
                    for each in page["events"]
                ]
            return sorted(lines, key=lambda line: line.moment)  # the service promises no order between streams
        raise AbsentError(self.app, "has no log on Fargate", "`mldeploy deploy --target fargate` brings it there.")


def _resume_time(lines: list[TaskLogLine]) -> int:
    """From when to look again: far enough back for what comes late, and never before what was looked at first."""
    if not lines:
        return 0
    return max(lines[0].moment, lines[-1].moment - round(LATE_SECONDS * 1000))
