"""The releases of an app: the revisions of its task definition, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass

from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.tags import is_ours, read
from mldeploy.providers.aws.fargate.task_definition import FAILED, STATE, number, revisions
from mldeploy.providers.aws.fargate.task_spec import read as spec_of
from mldeploy.providers.aws.fargate.tasks import iso

SHOWN = 50


@dataclass(frozen=True)
class Entry:
    """One revision. image: by digest. created: ISO 8601, UTC. failed: it was rolled out, and could not serve."""

    arn: str
    image: str
    port: int
    created: str
    failed: bool

    @property
    def number(self) -> int:
        return number(self.arn)


def history(cloud: FargateCloud, app: str) -> tuple[Entry, ...]:
    """The newest first, the last SHOWN of them."""
    newest = sorted(revisions(cloud, app), key=number, reverse=True)[:SHOWN]
    return tuple(entry for entry in (_entry(cloud, each, app) for each in newest) if entry)


def _entry(cloud: FargateCloud, arn: str, app: str) -> Entry | None:
    found = cloud.ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"])
    tags, definition = read(found.get("tags", ())), found["taskDefinition"]
    if not is_ours(tags, app):
        return None
    spec, created = spec_of(definition), definition.get("registeredAt")
    return Entry(arn, spec.image, spec.port, iso(created), tags.get(STATE) == FAILED)
