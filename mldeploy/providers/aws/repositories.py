"""Repositories as ECR describes them, and the access to what they hold."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING

from mldeploy.config.secret import Secret
from mldeploy.image.registry.access import RegistryAccess
from mldeploy.providers.aws.errors import AwsError, aws_errors

if TYPE_CHECKING:
    from types_boto3_ecr import ECRClient


@dataclass(frozen=True)
class Described:
    """A repository. uri: `address/path`. keeps: how many images its lifecycle policy keeps.

    keeps is None if there is no policy, and -1 if it is another one than ours. tags: in the sense of AWS.
    """

    arn: str
    uri: str
    scans: bool
    immutable: bool
    keeps: int | None
    tags: Mapping[str, str]


def where(path: str) -> str:
    return f"ECR repository {path}"


def describe(ecr: ECRClient, path: str) -> Described | None:
    """None if there is no such repository. Raises DeniedError, AwsError."""
    with aws_errors(where(path), "ecr"):
        try:
            found = ecr.describe_repositories(repositoryNames=[path])["repositories"][0]
            tags = ecr.list_tags_for_resource(resourceArn=found["repositoryArn"])["tags"]
            keeps = _keeps(ecr, path)
        except ecr.exceptions.RepositoryNotFoundException:
            return None
    return Described(
        found["repositoryArn"],
        found["repositoryUri"],
        scans=found.get("imageScanningConfiguration", {}).get("scanOnPush", False),
        immutable=found.get("imageTagMutability") == "IMMUTABLE",
        keeps=keeps,
        tags={tag["Key"]: tag["Value"] for tag in tags},
    )


def _keeps(ecr: ECRClient, path: str) -> int | None:
    try:
        text = ecr.get_lifecycle_policy(repositoryName=path)["lifecyclePolicyText"]
    except ecr.exceptions.LifecyclePolicyNotFoundException:
        return None
    try:
        number = json.loads(text)["rules"][0]["selection"]["countNumber"]
        return int(number) if json.loads(text) == lifecycle(int(number)) else -1
    except (ValueError, LookupError, TypeError):
        return -1


def lifecycle(keep: int) -> dict[str, object]:
    """The policy that keeps the last images pushed.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html
    """
    selection = {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": keep}
    text = f"mldeploy: keep the last {keep}"
    return {"rules": [{"rulePriority": 1, "description": text, "selection": selection, "action": {"type": "expire"}}]}


def access(ecr: ECRClient) -> RegistryAccess:
    """Credentials for the account's registry, good for some hours. Raises DeniedError, AwsError."""
    with aws_errors("ECR", "ecr"):
        found = ecr.get_authorization_token()["authorizationData"]
    if not found:
        raise AwsError("ECR", "hands out no credentials")
    data = found[0]
    user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    address = data["proxyEndpoint"].partition("://")[2].rstrip("/")
    expires = data["expiresAt"].astimezone(UTC).isoformat(timespec="seconds")
    return RegistryAccess(address, user, Secret(password), expires)
