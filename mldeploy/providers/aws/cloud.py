"""The clients of the targets on AWS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mldeploy.image.engine import Engine
from mldeploy.providers.aws.account import Account

if TYPE_CHECKING:  # the stubs are for development alone
    from types_boto3_ecr import ECRClient
    from types_boto3_resourcegroupstaggingapi import ResourceGroupsTaggingAPIClient


@dataclass(frozen=True)
class AwsCloud:
    """An account in a region, for one app, and the engine that builds for it. Clients may be used from several threads.

    repository: the path of the app's repository.
    """

    engine: Engine
    account: Account
    app: str
    repository: str
    ecr: ECRClient
    tagging: ResourceGroupsTaggingAPIClient

    @classmethod
    def of(cls, engine: Engine, account: Account, app: str, repository: str) -> AwsCloud:
        """With all clients made. Raises nothing: no call is made."""
        session, options = account.session, account.options
        tagging = session.client("resourcegroupstaggingapi", **options)
        return cls(engine, account, app, repository, session.client("ecr", **options), tagging)
