"""The lines of several tasks become one log."""

from __future__ import annotations

import time
from itertools import islice
from pathlib import Path

import pytest

from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.logs import TaskLogs, log_group_name
from mldeploy.providers.errors import AbsentError
from mldeploy.rehearsal.aws import Rehearsal
from tests.aws.fargate.harness import Deployer

APP = "written"
TASKS = ("app/app/one", "app/app/two")


@pytest.fixture
def cloud(quick: Rehearsal, tmp_path: Path) -> FargateCloud:
    """With the log streams of two tasks."""
    quick.reset()
    cloud = Deployer.of(quick, tmp_path, APP).cloud
    cloud.logs.create_log_group(logGroupName=log_group_name(APP))
    for task in TASKS:
        cloud.logs.create_log_stream(logGroupName=log_group_name(APP), logStreamName=task)
    return cloud


def write(cloud: FargateCloud, task: str, *lines: tuple[int, str]) -> None:
    """Each with the second at which it was written, after `BEGUN`."""
    events = [{"timestamp": BEGUN + 1000 * second, "message": text} for second, text in lines]
    cloud.logs.put_log_events(logGroupName=log_group_name(APP), logStreamName=task, logEvents=events)  # type: ignore[arg-type]


BEGUN = round((time.time() - 60) * 1000)


def test_the_last_lines_are_those_of_all_tasks(cloud: FargateCloud) -> None:
    write(cloud, TASKS[0], (1, "a"), (4, "d"), (5, "e"))
    write(cloud, TASKS[1], (2, "b"), (3, "c"))
    log = TaskLogs(cloud, APP)
    assert list(log.lines(follow=False, tail=0)) == ["a", "b", "c", "d", "e"]
    assert list(log.lines(follow=False, tail=3)) == ["c", "d", "e"]


def test_whoever_follows_hears_each_line_once_whichever_task_it_is_from(cloud: FargateCloud) -> None:
    """A task's line may come after a later one of another's."""
    write(cloud, TASKS[0], (1, "a"), (2, "b"))
    heard = TaskLogs(cloud, APP).lines(follow=True, tail=1)
    assert next(heard) == "b"
    write(cloud, TASKS[0], (5, "d"))
    write(cloud, TASKS[1], (4, "c"))
    assert list(islice(heard, 2)) == ["c", "d"]
    write(cloud, TASKS[1], (3, "late"), (6, "e"))
    assert list(islice(heard, 2)) == ["late", "e"]


def test_a_log_that_is_not_there_is_no_empty_one(cloud: FargateCloud) -> None:
    with pytest.raises(AbsentError, match="has no log on Fargate"):
        list(TaskLogs(cloud, "another").lines(follow=False, tail=1))
