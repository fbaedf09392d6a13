"""The rehearsal of AWS as a stage for the conformance suite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import boto3

from mldeploy.rehearsal.aws import Rehearsal
from mldeploy.testing.stage import CloudT, SettingsT
from tests.rehearsal.stage import RehearsalStage


@dataclass(frozen=True)
class AwsStage(RehearsalStage[CloudT, SettingsT, Rehearsal]):
    """strangers: makes, with a session of the stand-in's, what is not ours."""

    strangers: Callable[[Rehearsal, boto3.Session], None]

    def add_foreign(self) -> None:
        self.strangers(self.rehearsal, session(self.rehearsal))


def session(rehearsal: Rehearsal) -> boto3.Session:
    """The SDK as anybody with the stand-in's keys would use it. Each client still has to be told `endpoint_url`."""
    keys = {name: value.reveal() for name, value in rehearsal.endpoints.credentials}
    return boto3.Session(
        keys["aws_access_key_id"], keys["aws_secret_access_key"], region_name=rehearsal.endpoints.region
    )
