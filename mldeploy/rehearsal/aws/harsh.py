"""The harsh mode: a new account, in a busy region. AWS is entitled to all of it, and does it seldom.

Each refusal comes a fixed number of times after a reset, so that a run can be repeated.
"""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.core.models import DEFAULT_ACCOUNT_ID as ACCOUNT
from moto.ec2.models import ec2_backends
from moto.logs import urls
from moto.logs.models import LogsBackend, logs_backends

LATE_ROLE = "Unable to assume the service linked role. Please verify that the ECS service linked role exists."
"""ECS, to the first callers in an account. https://github.com/aws/containers-roadmap/issues/2614"""
TOO_MANY_CPUS = "You've reached the limit on the number of vCPUs you can run concurrently"
"""https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html"""
CPUS = 6
"""A new account's quota of vCPUs on Fargate. https://docs.aws.amazon.com/general/latest/gr/ecs-service.html"""
SILENT_LOGS = 6
"""So many requests for a log's lines fail after a reset: more than an SDK repeats by itself."""


class HarshMode:
    """Counts what it has refused. It refuses nothing unless it is enabled."""

    def __init__(self) -> None:
        self.enabled = False
        self._refused: Counter[str] = Counter()

    def refuses(self, what: str, times: int = 1) -> bool:
        """Whether this call is one of the first so many of its kind."""
        if not self.enabled or self._refused[what] >= times:
            return False
        self._refused[what] += 1
        return True

    def begin(self, region: str) -> None:
        """Begin anew after a reset, with a second public subnet in each zone of the default VPC."""
        self._refused.clear()
        if not self.enabled:
            return
        ec2 = ec2_backends[ACCOUNT][region]
        for number, subnet in enumerate(list(ec2.describe_subnets())):
            cidr = f"172.31.{128 + 16 * number % 112}.0/24"
            added = ec2.create_subnet(subnet.vpc_id, cidr, availability_zone=subnet.availability_zone)
            added.map_public_ip_on_launch = True


class HarshLogs(LogsBackend):
    """moto's backend, which cannot read a log at first."""

    @property
    def _url_module(self) -> SimpleNamespace:
        return SimpleNamespace(url_bases=urls.url_bases, url_paths=urls.url_paths)

    def get_log_events(self, *args: Any, **others: Any) -> Any:
        if HARSH.refuses("logs", SILENT_LOGS):
            raise LogsUnavailableError
        return super().get_log_events(*args, **others)


class LogsUnavailableError(JsonRESTError):
    """CloudWatch Logs cannot complete the request."""

    code = 503

    def __init__(self) -> None:
        super().__init__("ServiceUnavailableException", "The service cannot complete the request.")


HARSH = HarshMode()
"""Of this process."""


def install(*, enabled: bool) -> None:
    """Install the mode in moto, for this process."""
    HARSH.enabled = enabled
    if enabled:
        logs_backends.backend = HarshLogs
