"""The task definition: which image runs, how large, with which variables. Each change is a new revision of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from botocore.exceptions import ClientError

from mldeploy.config.secret import Secret
from mldeploy.config.settings import Project
from mldeploy.core.errors import RefusedError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.image.registry.steps import PushedImage
from mldeploy.image.types import Image
from mldeploy.providers.aws.fargate.answers import passing, speaking_to
from mldeploy.providers.aws.fargate.capacity import Size
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.iam import ExecutionRole, TaskRole
from mldeploy.providers.aws.fargate.logs import LogGroup
from mldeploy.providers.aws.fargate.settings import FargateSettings
from mldeploy.providers.aws.fargate.tags import is_ours, name
from mldeploy.providers.aws.fargate.tags import read as tags_of
from mldeploy.providers.aws.fargate.task_spec import (
    ARCHITECTURES,
    START_PERIOD_LIMIT,
    TaskSpec,
    differences,
    health_command,
    read,
    request,
)

ROLE_SECONDS = 90.0
"""How long a new role may take until the rest of AWS knows it."""
STATE = "mldeploy:state"
FAILED = "failed"
"""A tag on a revision: it was rolled out, and could not serve."""
AT_ONCE = 10
"""So many revisions DeleteTaskDefinitions takes."""

Status = Literal["ACTIVE", "INACTIVE"]


@dataclass(frozen=True)
class Revision:
    """A revision of the app's task definition. image: what it runs."""

    arn: str
    spec: TaskSpec
    image: Image | None = None


@speaking_to("ecs")
@dataclass(frozen=True, eq=False)
class TaskDefinition(Step[FargateCloud, Revision]):
    """The newest revision says what this configuration says."""

    kind: ClassVar[str] = "task-definition"
    title: ClassVar[str] = "Register the task definition"

    project: Project
    settings: FargateSettings
    size: Size
    image: PushedImage
    logs: LogGroup
    execution: ExecutionRole
    task: TaskRole

    def key(self) -> Key:
        return Key(self.project.app.name)

    def probe(self, cloud: FargateCloud, outs: Outputs) -> Seen[Revision] | None:
        newest = next(iter(sorted(revisions(cloud, self.key().name), key=number, reverse=True)), None)
        if newest is None:
            return None
        spec, ours = describe(cloud, newest, self.key().name)
        image = outs.get(self.image)
        drift = differences(spec, self._wanted(cloud, outs, spec))
        if image is None:
            drift = (f"image {spec.image} → the one to be built", *drift)
        return Seen(Revision(newest, spec, image), drift, ours=ours)

    def apply(self, cloud: FargateCloud, outs: Outputs, seen: Seen[Revision] | None, monitor: Monitor) -> Revision:
        image = outs[self.image]
        self._check_platform(image)
        spec = self._wanted(cloud, outs, None)
        wanted = request(self.key().name, spec)
        for _ in monitor.attempts(every=2, within=ROLE_SECONDS):
            try:
                made = cloud.ecs.register_task_definition(**wanted)["taskDefinition"]
                return Revision(made["taskDefinitionArn"], spec, image)
            except ClientError as error:
                if not is_about_new_role(str(error)):
                    raise
                monitor.progress(Progress("", "waiting until the new roles are known everywhere"))
        made = cloud.ecs.register_task_definition(**wanted)["taskDefinition"]
        return Revision(made["taskDefinitionArn"], spec, image)

    @staticmethod
    def undo(cloud: FargateCloud, key: Key, monitor: Monitor) -> bool:
        """Every revision that is ours, also those of old releases."""
        mine = owned(cloud, key.name)
        for each in mine:
            monitor.check()
            with passing("ClientException"):  # it is deregistered already
                cloud.ecs.deregister_task_definition(taskDefinition=each)
        for start in range(0, len(mine), AT_ONCE):
            cloud.ecs.delete_task_definitions(taskDefinitions=mine[start : start + AT_ONCE])
        return bool(mine)

    def _wanted(self, cloud: FargateCloud, outs: Outputs, was: TaskSpec | None) -> TaskSpec:
        """What the revision should say; while a need does not exist yet, as much of it as it said before."""
        app, image = self.project.app, outs.get(self.image)
        spec = TaskSpec(
            image=image.reference if image else "",
            size=self.size,
            architecture=ARCHITECTURES[self.project.build.platform],
            port=app.port,
            health=health_command(app.port, app.health),
            env=environment(self.project, self.settings),
            secrets=tuple(sorted(self.settings.secrets.items())),
            log_group=outs.get(self.logs) or "",
            region=cloud.account.region,
            execution_role=outs.get(self.execution) or "",
            task_role=outs.get(self.task) or "",
            start_period=min(START_PERIOD_LIMIT, round(self.project.check.start_timeout)),
        )
        if was is None:
            return spec
        return replace(
            spec,
            image=spec.image or was.image,
            log_group=spec.log_group or was.log_group,
            execution_role=spec.execution_role or was.execution_role,
            task_role=spec.task_role or was.task_role,
        )

    def _check_platform(self, image: Image) -> None:
        """An image for another processor would be pulled, and end with `exec format error`."""
        if image.platform != self.project.build.platform:
            what = f"is for {image.platform}, and the tasks would run on {self.project.build.platform}"
            raise RefusedError(image.reference, what, "Set `platform` in [build], or correct FROM in the Dockerfile.")


def revisions(cloud: FargateCloud, app: str, status: Status = "ACTIVE") -> Iterator[str]:
    """The ARNs of the app's revisions."""
    family = name(app)
    pages = cloud.ecs.get_paginator("list_task_definitions").paginate(familyPrefix=family, status=status)
    for page in pages:
        for arn in page["taskDefinitionArns"]:
            if arn.rpartition("/")[2].rpartition(":")[0] == family:  # a prefix matches longer names as well
                yield arn


def owned(cloud: FargateCloud, app: str) -> list[str]:
    """The ARNs of all revisions that are ours, also of those that are deregistered and not yet deleted."""
    found = [*revisions(cloud, app), *revisions(cloud, app, "INACTIVE")]
    return [each for each in found if describe(cloud, each, app)[1]]


def number(arn: str) -> int:
    """A revision's number."""
    return int(arn.rpartition(":")[2])


def describe(cloud: FargateCloud, arn: str, app: str) -> tuple[TaskSpec, bool]:
    """What a revision says, and whether it is ours."""
    found = cloud.ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"])
    tags = tags_of(found.get("tags", ()))
    return read(found["taskDefinition"]), is_ours(tags, app)


def mark_failed(cloud: FargateCloud, arn: str) -> None:
    """Note on a revision that it could not serve: `rollback` passes it over, `history` says so."""
    with passing("ResourceNotFoundException", "InvalidParameterException", "ClientException"):
        cloud.ecs.tag_resource(resourceArn=arn, tags=[{"key": STATE, "value": FAILED}])


def is_about_new_role(text: str) -> bool:
    """Whether AWS complains of a role, which it also does of one that has just been made."""
    said = text.lower()
    return "role" in said and any(word in said for word in ("assume", "not valid", "invalid", "does not exist"))


def environment(project: Project, settings: FargateSettings) -> tuple[tuple[str, Secret], ...]:
    """The variables by value; one that is a secret of AWS's is given by reference alone. PORT tells the one port."""
    told = {**dict(project.app.env), "PORT": Secret(str(project.app.port))}
    return tuple(
        sorted(((each, told[each]) for each in told if each not in settings.secrets), key=lambda pair: pair[0])
    )
