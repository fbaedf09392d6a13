"""The task definition: which image runs, how large, with which variables. Each change is a new revision of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from botocore.exceptions import ClientError

from mldeploy.config.secret import Secret
from mldeploy.config.settings import Project
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor, current_monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.image.registry.steps import PushedImage
from mldeploy.image.types import Image
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.cluster import Size
from mldeploy.providers.aws.fargate.errors import ignore_codes, translate_errors
from mldeploy.providers.aws.fargate.iam import ExecutionRole, TaskRole
from mldeploy.providers.aws.fargate.logs import LogGroup
from mldeploy.providers.aws.fargate.secrets import list_app_secrets, pinned_reference
from mldeploy.providers.aws.fargate.settings import FargateSettings
from mldeploy.providers.aws.fargate.tags import is_owned, resource_name
from mldeploy.providers.aws.fargate.tags import read_tags as tags_of
from mldeploy.providers.aws.fargate.task_spec import (
    ARCHITECTURES,
    START_PERIOD_LIMIT,
    TaskSpec,
    build_request,
    health_command,
    list_differences,
    parse_task_spec,
)
from mldeploy.providers.secret_store import refuse_conflicts

ROLE_SECONDS = 90.0
"""How long a new role may take until the rest of AWS knows it."""
STATE_TAG = "mldeploy:state"
FAILED = "failed"
"""A tag on a revision: it was rolled out, and could not serve."""
PASSED = "passed"
GOLDEN_TAG = "mldeploy:golden"
"""A tag on a revision: which golden row it has answered."""
CANDIDATE_TAG = "mldeploy:candidate"
"""A tag on a revision: it was registered for a canary that has not been promoted."""
DELETE_BATCH = 10
"""So many revisions DeleteTaskDefinitions takes."""

Status = Literal["ACTIVE", "INACTIVE"]


@dataclass(frozen=True)
class Revision:
    """A revision of the app's task definition. image: what it runs."""

    arn: str
    spec: TaskSpec
    image: Image | None = None


@translate_errors("ecs")
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
    is_candidate: bool = False
    """A revision that is registered now is for a canary, and goes with it if that is aborted."""

    def key(self) -> Key:
        return Key(self.project.app.name)

    def probe(self, cloud: FargateCloud, outs: Outputs) -> Seen[Revision] | None:
        newest = next(iter(sorted(list_revision_arns(cloud, self.key().name), key=revision_number, reverse=True)), None)
        if newest is None:
            return None
        spec, ours = describe_revision(cloud, newest, self.key().name)
        image, stored = outs.get(self.image), self._list_secrets(cloud, current_monitor())
        drift = list_differences(spec, self._build_spec(cloud, outs, stored, spec))
        if image is None:
            drift = (f"image {spec.image} → the one to be built", *drift)
        return Seen(Revision(newest, spec, image), drift, ours=ours)

    def apply(self, cloud: FargateCloud, outs: Outputs, seen: Seen[Revision] | None, monitor: Monitor) -> Revision:
        image = outs[self.image]
        image.require_platform(self.project.build.platform, "the tasks")
        spec = self._build_spec(cloud, outs, self._list_secrets(cloud, None), None)
        tags = {CANDIDATE_TAG: "yes"} if self.is_candidate else {}
        request = build_request(self.key().name, spec, tags)
        for _ in monitor.attempts(every=2, within=ROLE_SECONDS):
            try:
                registered = cloud.ecs.register_task_definition(**request)["taskDefinition"]
                return Revision(registered["taskDefinitionArn"], spec, image)
            except ClientError as error:
                if not is_about_new_role(str(error)):
                    raise
                monitor.progress(Progress("", "waiting until the new roles are known everywhere"))
        registered = cloud.ecs.register_task_definition(**request)["taskDefinition"]
        return Revision(registered["taskDefinitionArn"], spec, image)

    @staticmethod
    def undo(cloud: FargateCloud, key: Key, monitor: Monitor) -> bool:
        """Every revision that is ours, also those of old releases."""
        owned = list_owned_arns(cloud, key.name)
        for each in owned:
            monitor.check()
            with ignore_codes("ClientException"):  # it is deregistered already
                cloud.ecs.deregister_task_definition(taskDefinition=each)
        for start in range(0, len(owned), DELETE_BATCH):
            cloud.ecs.delete_task_definitions(taskDefinitions=owned[start : start + DELETE_BATCH])
        return bool(owned)

    def _list_secrets(self, cloud: FargateCloud, monitor: Monitor | None) -> Mapping[str, str]:
        """The references of the stored secrets. Raises ConfigError if the configuration sets one, too."""
        stored = list_app_secrets(cloud, self.project.app.name, monitor)
        refuse_conflicts(self.project.app, (each.name for each in stored), self.settings.secrets)
        return {each.name: pinned_reference(each) for each in stored}

    def _build_spec(
        self, cloud: FargateCloud, outs: Outputs, stored: Mapping[str, str], was: TaskSpec | None
    ) -> TaskSpec:
        """The desired revision. Values of dependencies that do not exist yet come from the current revision."""
        app, image = self.project.app, outs.get(self.image)
        spec = TaskSpec(
            image=image.reference if image else "",
            size=self.size,
            architecture=ARCHITECTURES[self.project.build.platform],
            port=app.port,
            health=health_command(app.port, app.health),
            env=build_environment(self.project, self.settings),
            secrets=tuple(sorted({**self.settings.secrets, **stored}.items())),
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


def list_revision_arns(cloud: FargateCloud, app: str, status: Status = "ACTIVE") -> Iterator[str]:
    """The ARNs of the app's revisions."""
    family = resource_name(app)
    pages = cloud.ecs.get_paginator("list_task_definitions").paginate(familyPrefix=family, status=status)
    for page in pages:
        for arn in page["taskDefinitionArns"]:
            if arn.rpartition("/")[2].rpartition(":")[0] == family:  # a prefix matches longer names as well
                yield arn


def list_owned_arns(cloud: FargateCloud, app: str) -> list[str]:
    """The ARNs of all revisions that are ours, also of those that are deregistered and not yet deleted."""
    arns = [*list_revision_arns(cloud, app), *list_revision_arns(cloud, app, "INACTIVE")]
    return [each for each in arns if describe_revision(cloud, each, app)[1]]


def revision_number(arn: str) -> int:
    """A revision's number."""
    return int(arn.rpartition(":")[2])


def describe_revision(cloud: FargateCloud, arn: str, app: str) -> tuple[TaskSpec, bool]:
    """What a revision says, and whether it is ours."""
    response = cloud.ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"])
    tags = tags_of(response.get("tags", ()))
    return parse_task_spec(response["taskDefinition"]), is_owned(tags, app)


def mark_failed(cloud: FargateCloud, arn: str) -> None:
    """Note on a revision that it could not serve: `rollback` passes it over, `history` says so."""
    with ignore_codes("ResourceNotFoundException", "InvalidParameterException", "ClientException"):
        cloud.ecs.tag_resource(resourceArn=arn, tags=[{"key": STATE_TAG, "value": FAILED}])


def mark_passed(cloud: FargateCloud, arn: str, golden: str) -> None:
    """Note on a revision that it has answered the golden row. golden: identifies the row."""
    tags = [{"key": GOLDEN_TAG, "value": golden}, {"key": STATE_TAG, "value": PASSED}]
    cloud.ecs.tag_resource(resourceArn=arn, tags=tags)  # type: ignore[arg-type]


def read_golden_tag(cloud: FargateCloud, arn: str) -> str:
    """Which golden row the revision has answered; "" if none."""
    response = cloud.ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"])
    return tags_of(response.get("tags", ())).get(GOLDEN_TAG, "")


def keep_candidate(cloud: FargateCloud, arn: str) -> None:
    """Let a canary's revision be one like all others. May be repeated."""
    cloud.ecs.untag_resource(resourceArn=arn, tagKeys=[CANDIDATE_TAG])


def drop_candidates(cloud: FargateCloud, app: str, serving: int, keep: str = "") -> None:
    """Delete the revisions after `serving` that were registered for canaries, but not `keep`. May be repeated."""
    arns = [each for each in list_revision_arns(cloud, app) if revision_number(each) > serving]
    for arn in (each for each in arns if each != keep):
        response = cloud.ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"])
        if CANDIDATE_TAG in tags_of(response.get("tags", ())):
            with ignore_codes("ClientException"):  # it is deregistered already
                cloud.ecs.deregister_task_definition(taskDefinition=arn)
            cloud.ecs.delete_task_definitions(taskDefinitions=[arn])


def is_about_new_role(text: str) -> bool:
    """Whether the error is about a role. AWS reports one also for a role that was created seconds ago."""
    message = text.lower()
    return "role" in message and any(word in message for word in ("assume", "not valid", "invalid", "does not exist"))


def build_environment(project: Project, settings: FargateSettings) -> tuple[tuple[str, Secret], ...]:
    """The variables by value; one that is a secret of AWS's is given by reference alone. PORT tells the one port."""
    variables = {**dict(project.app.env), "PORT": Secret(str(project.app.port))}
    return tuple(
        sorted(
            ((each, variables[each]) for each in variables if each not in settings.secrets), key=lambda pair: pair[0]
        )
    )
