"""The SDK's clients of a rehearsal, as a provider makes them."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import boto3
from botocore.client import BaseClient
from botocore.config import Config

from mldeploy.rehearsal.aws import Rehearsal

if TYPE_CHECKING:  # importing the stubs takes a second
    from types_boto3_ec2 import EC2Client
    from types_boto3_ecr import ECRClient
    from types_boto3_ecs import ECSClient
    from types_boto3_iam import IAMClient
    from types_boto3_logs import CloudWatchLogsClient
    from types_boto3_sts import STSClient


@dataclass(frozen=True)
class Clients:
    """attempts: how often the SDK tries a call. key: another access key than the one that exists.

    patience: seconds that an answer may take.
    """

    rehearsal: Rehearsal
    attempts: int = 1
    key: str = ""
    patience: int = 60

    @cached_property
    def session(self) -> boto3.Session:
        values = {name: secret.reveal() for name, secret in self.rehearsal.endpoints.credentials}
        return boto3.Session(
            self.key or values["aws_access_key_id"],
            values["aws_secret_access_key"],
            region_name=self.rehearsal.endpoints.region,
        )

    @property
    def _config(self) -> Config:
        retries = {"total_max_attempts": self.attempts, "mode": "standard"}
        return Config(retries=retries, read_timeout=self.patience)  # type: ignore[arg-type]  # a literal's type is wider

    @property
    def _url(self) -> str:
        return self.rehearsal.endpoints.url

    @cached_property
    def ec2(self) -> EC2Client:
        return self.session.client("ec2", endpoint_url=self._url, config=self._config)

    @cached_property
    def ecr(self) -> ECRClient:
        return self.session.client("ecr", endpoint_url=self._url, config=self._config)

    @cached_property
    def ecs(self) -> ECSClient:
        return self.session.client("ecs", endpoint_url=self._url, config=self._config)

    @cached_property
    def iam(self) -> IAMClient:
        return self.session.client("iam", endpoint_url=self._url, config=self._config)

    @cached_property
    def logs(self) -> CloudWatchLogsClient:
        return self.session.client("logs", endpoint_url=self._url, config=self._config)

    @cached_property
    def sts(self) -> STSClient:
        return self.session.client("sts", endpoint_url=self._url, config=self._config)

    def close(self) -> None:
        """Close the clients that have been used."""
        for each in vars(self).values():
            if isinstance(each, BaseClient):
                each.close()

    def password(self) -> str:
        """For a push to the registry."""
        token = self.ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
        return b64decode(token).decode().partition(":")[2]
