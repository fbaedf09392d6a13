"""The step that sees to the app's repository in ECR."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from mldeploy.core.errors import RefusedError
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen
from mldeploy.image.registry.access import ImageRepository
from mldeploy.image.registry.steps import RepositoryStep
from mldeploy.providers.aws.account import AwsCloud
from mldeploy.providers.aws.errors import AwsError, aws_errors
from mldeploy.providers.aws.tags import missing_tags, owner_tags

if TYPE_CHECKING:
    from types_boto3_ecr.literals import ImageTagMutabilityType
import base64
from collections.abc import Mapping
from datetime import UTC
from typing import TYPE_CHECKING

from mldeploy.config.secret import Secret
from mldeploy.image.registry.access import RegistryAccess

if TYPE_CHECKING:
    from types_boto3_ecr import ECRClient

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

    def probe(self, cloud: AwsCloud, outs: Outputs) -> Seen[ImageRepository] | None:
        repository = describe_repository(cloud.ecr, self.path)
        if repository is None:
            return None
        missing = missing_tags(repository.tags, cloud.app, TARGET)
        return Seen(_image_repository(cloud, repository), missing or tuple(self._drift(repository)), ours=not missing)

    def apply(
        self, cloud: AwsCloud, outs: Outputs, seen: Seen[ImageRepository] | None, monitor: Monitor
    ) -> ImageRepository:
        if seen is None:
            self._create(cloud)
        repository = describe_repository(cloud.ecr, self.path)
        if repository is None:
            raise AwsError(repository_label(self.path), "was there a moment ago, and is gone", "Run the command again.")
        if missing_tags(repository.tags, cloud.app, TARGET):
            todo = "Choose another name: `repository` in the target's table."
            raise RefusedError(repository_label(self.path), "has just been made by somebody else", todo)
        self._correct_drift(cloud, repository)
        return _image_repository(cloud, repository)

    @staticmethod
    def undo(cloud: AwsCloud, key: Key, monitor: Monitor) -> bool:
        """Remove the repository and every image in it."""
        repository = describe_repository(cloud.ecr, key.name)
        if repository is None or missing_tags(repository.tags, cloud.app, TARGET):
            return False
        with aws_errors(repository_label(key.name), "ecr"):
            try:
                cloud.ecr.delete_repository(repositoryName=key.name, force=True)
            except cloud.ecr.exceptions.RepositoryNotFoundException:
                return True  # the answer to an earlier attempt was lost
        for _ in monitor.attempts(every=0.5, within=GONE_SECONDS):
            if describe_repository(cloud.ecr, key.name) is None:
                return True
        raise AwsError(
            repository_label(key.name), f"is still there {GONE_SECONDS:g} s after it was deleted", "Try again later."
        )

    def _drift(self, repository: EcrRepositoryInfo) -> Iterator[str]:
        if not repository.immutable:
            yield "tags can be moved → cannot"
        if repository.keeps != self.keep:
            kept = {None: "keeps every image", -1: "has another lifecycle policy"}
            yield f"{kept.get(repository.keeps, f'keeps the last {repository.keeps}')} → keeps the last {self.keep}"

    def _create(self, cloud: AwsCloud) -> None:
        tags = owner_tags(cloud.app, TARGET)
        with aws_errors(repository_label(self.path), "ecr"):
            try:
                cloud.ecr.create_repository(
                    repositoryName=self.path,
                    tags=[{"Key": name, "Value": value} for name, value in tags.items()],
                    imageTagMutability=IMMUTABLE,
                    imageScanningConfiguration={"scanOnPush": True},  # later, the registry's configuration decides
                )
            except cloud.ecr.exceptions.RepositoryAlreadyExistsException:
                return  # by an attempt whose answer was lost, or by somebody else: whoever it was has left a tag

    def _correct_drift(self, cloud: AwsCloud, repository: EcrRepositoryInfo) -> None:
        with aws_errors(repository_label(self.path), "ecr"):
            if not repository.immutable:
                cloud.ecr.put_image_tag_mutability(repositoryName=self.path, imageTagMutability=IMMUTABLE)
            if repository.keeps != self.keep:
                policy = json.dumps(lifecycle_policy(self.keep))
                cloud.ecr.put_lifecycle_policy(repositoryName=self.path, lifecyclePolicyText=policy)


def _image_repository(cloud: AwsCloud, repository: EcrRepositoryInfo) -> ImageRepository:
    address = repository.uri.partition("/")[0]
    return ImageRepository(repository.uri, lambda: replace(fetch_registry_access(cloud.ecr), address=address))


@dataclass(frozen=True)
class EcrRepositoryInfo:
    """A repository. uri: `address/path`. keeps: how many images its lifecycle policy keeps.

    keeps is None if there is no policy, and -1 if it is another one than ours. tags: in the sense of AWS.
    """

    arn: str
    uri: str
    immutable: bool
    keeps: int | None
    tags: Mapping[str, str]


def repository_label(path: str) -> str:
    return f"ECR repository {path}"


def describe_repository(ecr: ECRClient, path: str) -> EcrRepositoryInfo | None:
    """None if there is no such repository. Raises DeniedError, AwsError."""
    with aws_errors(repository_label(path), "ecr"):
        try:
            repository = ecr.describe_repositories(repositoryNames=[path])["repositories"][0]
            tags = ecr.list_tags_for_resource(resourceArn=repository["repositoryArn"])["tags"]
            keeps = _read_keep_limit(ecr, path)
        except ecr.exceptions.RepositoryNotFoundException:
            return None
    return EcrRepositoryInfo(
        repository["repositoryArn"],
        repository["repositoryUri"],
        immutable=repository.get("imageTagMutability") == "IMMUTABLE",
        keeps=keeps,
        tags={tag["Key"]: tag["Value"] for tag in tags},
    )


def _read_keep_limit(ecr: ECRClient, path: str) -> int | None:
    try:
        text = ecr.get_lifecycle_policy(repositoryName=path)["lifecyclePolicyText"]
    except ecr.exceptions.LifecyclePolicyNotFoundException:
        return None
    try:
        number = json.loads(text)["rules"][0]["selection"]["countNumber"]
        return int(number) if json.loads(text) == lifecycle_policy(int(number)) else -1
    except (ValueError, LookupError, TypeError):
        return -1


def lifecycle_policy(keep: int) -> dict[str, object]:
    """The policy that keeps the last images pushed.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html
    """
    selection = {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": keep}
    text = f"mldeploy: keep the last {keep}"
    return {"rules": [{"rulePriority": 1, "description": text, "selection": selection, "action": {"type": "expire"}}]}


def fetch_registry_access(ecr: ECRClient) -> RegistryAccess:
    """Credentials for the account's registry, good for some hours. Raises DeniedError, AwsError."""
    with aws_errors("ECR", "ecr"):
        tokens = ecr.get_authorization_token()["authorizationData"]
    if not tokens:
        raise AwsError("ECR", "hands out no credentials")
    data = tokens[0]
    user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    address = data["proxyEndpoint"].partition("://")[2].rstrip("/")
    expires = data["expiresAt"].astimezone(UTC).isoformat(timespec="seconds")
    return RegistryAccess(address, user, Secret(password), expires)
