"""The rehearsal of AWS as a stage for the conformance suite."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic

import boto3

from mldeploy.config.endpoints import Endpoints
from mldeploy.providers.base import Provider
from mldeploy.rehearsal.aws import Fault, Kind, Rehearsal
from mldeploy.testing.stage import Blow, Call, CloudT, SettingsT, Strike

KINDS = {
    Blow.THROTTLED: Kind.THROTTLE,
    Blow.FAILED: Kind.ERROR,
    Blow.SILENT: Kind.TIMEOUT,
    Blow.LOST: Kind.LOST,
    Blow.CUT_BEFORE: Kind.CUT_BEFORE,
    Blow.CUT_AFTER: Kind.CUT_AFTER,
    Blow.DENIED: Kind.DENIED,
}


@dataclass(frozen=True)
class AwsStage(Generic[CloudT, SettingsT]):
    """`mldeploy.testing.stage.Stage`. strangers: makes, with a session of the stand-in's, what is not ours."""

    provider: Provider[CloudT, SettingsT]
    settings: SettingsT
    rehearsal: Rehearsal
    strangers: Callable[[Rehearsal, boto3.Session], None]

    @property
    def endpoints(self) -> Endpoints:
        return self.rehearsal.endpoints

    def reset(self) -> None:
        self.rehearsal.reset()

    def add_foreign(self) -> None:
        self.strangers(self.rehearsal, session(self.rehearsal))

    def contents(self) -> Sequence[str]:
        return [f"{thing.kind} {thing.name}" for thing in self.rehearsal.contents()]

    def calls(self) -> Sequence[Call]:
        return [Call(call.action, call.writing) for call in self.rehearsal.calls()]

    def order(self, strike: Strike) -> None:
        times = 0 if strike.always else 1
        fault = Fault(KINDS[strike.blow], strike.action, strike.skip, times, strike.seconds)
        self.rehearsal.faults.order(fault)

    def struck(self, within: float) -> bool:
        return self.rehearsal.faults.struck(within=within) > 0

    def relent(self) -> None:
        self.rehearsal.faults.clear()


def session(rehearsal: Rehearsal) -> boto3.Session:
    """The SDK as anybody with the stand-in's keys would use it. Each client still has to be told `endpoint_url`."""
    keys = {name: value.reveal() for name, value in rehearsal.endpoints.credentials}
    return boto3.Session(
        keys["aws_access_key_id"], keys["aws_secret_access_key"], region_name=rehearsal.endpoints.region
    )
