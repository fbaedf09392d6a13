"""The step that sees to the app's repository in ECR."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from mldeploy.core.errors import RefusedError
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen
from mldeploy.image.registry.access import Repository
from mldeploy.image.registry.steps import RepositoryStep
from mldeploy.providers.aws.cloud import AwsCloud
from mldeploy.providers.aws.errors import AwsError, aws_errors
from mldeploy.providers.aws.repositories import Described, access, describe, lifecycle, where
from mldeploy.providers.aws.tags import belonging, foreign

if TYPE_CHECKING:
    from types_boto3_ecr.literals import ImageTagMutabilityType

TARGET = "ecr"
IMMUTABLE: ImageTagMutabilityType = "IMMUTABLE"
GONE_SECONDS = 60.0


@dataclass(frozen=True, eq=False)
class EcrRepository(RepositoryStep[AwsCloud]):
    """The app's repository: tagged as ours, scanning what is pushed, with tags that never move, keeping the last N."""

    kind: ClassVar[str] = "ecr-repository"
    title: ClassVar[str] = "Create ECR repository"

    path: str
    keep: int

    def key(self) -> Key:
        return Key(self.path)

    def probe(self, cloud: AwsCloud, outs: Outputs) -> Seen[Repository] | None:
        found = describe(cloud.ecr, self.path)
        if found is None:
            return None
        missing = foreign(found.tags, cloud.app, TARGET)
        return Seen(_repository(cloud, found), missing or tuple(self._drift(found)), ours=not missing)

    def apply(self, cloud: AwsCloud, outs: Outputs, seen: Seen[Repository] | None, monitor: Monitor) -> Repository:
        if seen is None:
            self._create(cloud)
        found = describe(cloud.ecr, self.path)
        if found is None:
            raise AwsError(where(self.path), "was there a moment ago, and is gone", "Run the command again.")
        if foreign(found.tags, cloud.app, TARGET):
            todo = "Choose another name: `repository` in the target's table."
            raise RefusedError(where(self.path), "has just been made by somebody else", todo)
        self._mend(cloud, found)
        return _repository(cloud, found)

    @staticmethod
    def undo(cloud: AwsCloud, key: Key, monitor: Monitor) -> bool:
        """Remove the repository and every image in it."""
        found = describe(cloud.ecr, key.name)
        if found is None or foreign(found.tags, cloud.app, TARGET):
            return False
        with aws_errors(where(key.name), "ecr"):
            try:
                cloud.ecr.delete_repository(repositoryName=key.name, force=True)
            except cloud.ecr.exceptions.RepositoryNotFoundException:
                return True  # the answer to an earlier attempt was lost
        for _ in monitor.attempts(every=0.5, within=GONE_SECONDS):
            if describe(cloud.ecr, key.name) is None:
                return True
        raise AwsError(where(key.name), f"is still there {GONE_SECONDS:g} s after it was deleted", "Try again later.")

    def _drift(self, found: Described) -> Iterator[str]:
        if not found.scans:
            yield "scan on push off → on"
        if not found.immutable:
            yield "tags can be moved → cannot"
        if found.keeps != self.keep:
            kept = {None: "keeps every image", -1: "has another lifecycle policy"}
            yield f"{kept.get(found.keeps, f'keeps the last {found.keeps}')} → keeps the last {self.keep}"

    def _create(self, cloud: AwsCloud) -> None:
        tags = belonging(cloud.app, TARGET)
        with aws_errors(where(self.path), "ecr"):
            try:
                cloud.ecr.create_repository(
                    repositoryName=self.path,
                    tags=[{"Key": name, "Value": value} for name, value in tags.items()],
                    imageTagMutability=IMMUTABLE,
                    imageScanningConfiguration={"scanOnPush": True},
                )
            except cloud.ecr.exceptions.RepositoryAlreadyExistsException:
                return  # by an attempt whose answer was lost, or by somebody else: whoever it was has left a tag

    def _mend(self, cloud: AwsCloud, found: Described) -> None:
        with aws_errors(where(self.path), "ecr"):
            if not found.scans:
                cloud.ecr.put_image_scanning_configuration(
                    repositoryName=self.path, imageScanningConfiguration={"scanOnPush": True}
                )
            if not found.immutable:
                cloud.ecr.put_image_tag_mutability(repositoryName=self.path, imageTagMutability=IMMUTABLE)
            if found.keeps != self.keep:
                policy = json.dumps(lifecycle(self.keep))
                cloud.ecr.put_lifecycle_policy(repositoryName=self.path, lifecyclePolicyText=policy)


def _repository(cloud: AwsCloud, found: Described) -> Repository:
    address = found.uri.partition("/")[0]
    return Repository(found.uri, lambda: replace(access(cloud.ecr), address=address))
