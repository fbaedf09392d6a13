"""The tables of the targets on AWS: `[target.ecr]`, and what every other one has in common with it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mldeploy.config.kinds import FieldText
from mldeploy.config.target import TargetSettings

NAME_PATTERN = r"^(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*$"
"""ECR API reference, CreateRepository."""


class AwsSettings(TargetSettings):
    """What every target on AWS has: whose account, where, and the repository that its image is kept in."""

    profile: str = Field(
        "",
        description="The profile of `~/.aws/config` whose account to work in. If not set: the standard chain of "
        "environment variables, `AWS_PROFILE`, the default profile, and the role of the machine.",
        examples=["production"],
    )
    region: Annotated[str, FieldText("the name of a region of AWS")] = Field(
        "",
        pattern=r"^$|^[a-z]{2,5}(-[a-z]+)+-[0-9]+$",
        description="The region to work in. If not set: `AWS_REGION`, `AWS_DEFAULT_REGION`, the profile's.",
        examples=["eu-west-1"],
    )
    repository: Annotated[str, FieldText("a path of lower-case letters, digits and . _ - /")] = Field(
        "",
        pattern=rf"^$|{NAME_PATTERN}",
        max_length=256,
        description="The ECR repository that the image is kept in. If not set: the app's name.",
        examples=["team/insurance"],
    )
    keep_images: int = Field(
        10,
        ge=1,
        le=1000,
        description="How many images the repository keeps, the last ones pushed: as far back a deployment can be "
        "rolled back.",
    )


class EcrSettings(AwsSettings):
    """The registry of AWS, for `mldeploy push --target ecr`. Needs the extra `aws`: `pip install 'mldeploy[aws]'`."""
