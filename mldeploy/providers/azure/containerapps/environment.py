"""The environment of the container app: its network, its domain, and where logs go.

https://learn.microsoft.com/azure/container-apps/environment
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from azure.mgmt.appcontainers.models import (
    AppLogsConfiguration,
    ManagedEnvironment,
    ManagedEnvironmentProperties,
    WorkloadProfile,
)

from mldeploy.core.errors import RefusedError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.providers.azure.cloud import enum_text
from mldeploy.providers.azure.containerapps.cloud import ContainerAppsCloud
from mldeploy.providers.azure.containerapps.settings import TABLE, ContainerAppsSettings
from mldeploy.providers.azure.errors import AzureError, ignore_not_found, translate_errors
from mldeploy.providers.azure.group import ResourceGroup, ResourceProvider
from mldeploy.providers.azure.tags import resource_name
from mldeploy.providers.azure.waiting import run_operation, wait_until_gone
from mldeploy.providers.errors import AbsentError

PROFILE = "Consumption"
READY, DELETING = "Succeeded", "ScheduledForDelete"
_FAILED = frozenset({"Failed", "Canceled", "UpgradeFailed"})
READY_POLL_SECONDS, READY_SECONDS = 2.0, 1800.0
_MONITOR = "azure-monitor"


@dataclass(frozen=True)
class EnvironmentInfo:
    """id: the resource id. domain: the apps' domain. address: the public IP address. logs: where logs go."""

    id: str
    region: str
    domain: str
    address: str
    state: str
    logs: str
    ours: bool

    @property
    def name(self) -> str:
        return self.id.rpartition("/")[2]

    @property
    def group(self) -> str:
        return self.id.split("/")[4]


@translate_errors
@dataclass(frozen=True, eq=False)
class AppsEnvironment(Step[ContainerAppsCloud, EnvironmentInfo]):
    """An environment with the Consumption profile. One that the settings name is used unchanged."""

    kind: ClassVar[str] = "container-environment"
    title: ClassVar[str] = "Create the environment"

    app: str
    settings: ContainerAppsSettings
    provider: ResourceProvider
    group: ResourceGroup

    def key(self) -> Key:
        if self.settings.environment_id:
            parts = self.settings.environment_id.split("/")
            return Key(parts[8], (parts[4],))
        return Key(self.settings.environment or resource_name(self.app), (self.group.name,))

    def probe(self, cloud: ContainerAppsCloud, outs: Outputs) -> Seen[EnvironmentInfo] | None:
        """Raises RefusedError if the app's environment is in another region: environments cannot move."""
        existing = get_environment(cloud, self.key())
        if existing is None or existing.state == DELETING:
            return None
        region = cloud.account.region
        if region and existing.ours and existing.region != region:
            what = f"is in {existing.region}, and the configuration says {region}"
            todo = "Correct `region`, or run `mldeploy destroy --target containerapps` and deploy again."
            raise RefusedError(f"environment {self.key().name}", what, todo)
        return Seen(existing, tuple(self._drift(existing)), ours=existing.ours)

    def apply(
        self, cloud: ContainerAppsCloud, outs: Outputs, seen: Seen[EnvironmentInfo] | None, monitor: Monitor
    ) -> EnvironmentInfo:
        """Raises AbsentError if the environment that the settings name does not exist, QuotaError."""
        key = self.key()
        if self.settings.environment and not (seen and seen.out.ours):
            todo = f"Correct `environment` in [{TABLE}], or remove the key: mldeploy then creates one."
            raise AbsentError(f"environment {self.settings.environment}", "does not exist", todo)
        wait_until_gone(monitor, key.name, lambda: not _is_deleting(cloud, key))
        region = seen.out.region if seen else outs[self.group].region
        model = build_environment(region, self.settings.logs, cloud.owner_tags)
        begin = partial(cloud.apps.managed_environments.begin_create_or_update, key.scope[0], key.name, model)
        monitor.progress(Progress("", "the environment is created: this takes a minute or two"))
        run_operation(monitor, key.name, begin)
        return self._wait_until_ready(cloud, monitor)

    @staticmethod
    def undo(cloud: ContainerAppsCloud, key: Key, monitor: Monitor) -> bool:
        existing = get_environment(cloud, key)
        if existing is None or not existing.ours:
            return False
        if existing.state != DELETING:
            begin = partial(cloud.apps.managed_environments.begin_delete, key.scope[0], key.name)
            ignore_not_found(partial(run_operation, monitor, key.name, begin))
        wait_until_gone(monitor, key.name, lambda: get_environment(cloud, key) is None)
        return True

    def _wait_until_ready(self, cloud: ContainerAppsCloud, monitor: Monitor) -> EnvironmentInfo:
        existing = None
        for _ in monitor.attempts(every=READY_POLL_SECONDS, within=READY_SECONDS):
            existing = get_environment(cloud, self.key())
            if existing is not None and existing.state == READY:
                return existing
            if existing is not None and existing.state in _FAILED:
                break
        what = f"could not be created: its state is {existing.state if existing else 'unknown'}"
        raise AzureError(
            f"environment {self.key().name}", what, "Run the command again. See the Azure portal for details."
        )

    def _drift(self, existing: EnvironmentInfo) -> Iterator[str]:
        if not existing.ours:
            return
        if existing.state != READY:
            yield f"state {existing.state or 'unknown'} → {READY}"
        if existing.logs != self.settings.logs:
            yield f"logs {existing.logs} → {self.settings.logs}"


def build_environment(region: str, logs: str, tags: dict[str, str]) -> ManagedEnvironment:
    """The CreateOrUpdate request. Without a destination, the logs of running replicas can still be streamed."""
    destination = AppLogsConfiguration(destination=_MONITOR) if logs == _MONITOR else None
    return ManagedEnvironment(
        location=region,
        tags=tags,
        properties=ManagedEnvironmentProperties(
            app_logs_configuration=destination,
            workload_profiles=[WorkloadProfile(name=PROFILE, workload_profile_type=PROFILE)],
        ),
    )


def get_environment(cloud: ContainerAppsCloud, key: Key) -> EnvironmentInfo | None:
    """The environment for a key, or None. It may belong to others."""
    existing = ignore_not_found(partial(cloud.apps.managed_environments.get, key.scope[0], key.name))
    return _parse_environment(cloud, existing) if existing else None


def environment_exists(cloud: ContainerAppsCloud, key: Key) -> bool:
    """Whether the app owns this environment."""
    existing = get_environment(cloud, key)
    return existing is not None and existing.ours and existing.state != DELETING


def _parse_environment(cloud: ContainerAppsCloud, existing: ManagedEnvironment) -> EnvironmentInfo:
    properties = existing.properties or ManagedEnvironmentProperties()
    destination = properties.app_logs_configuration.destination if properties.app_logs_configuration else None
    return EnvironmentInfo(
        existing.id or "",
        existing.location.replace(" ", "").lower(),
        properties.default_domain or "",
        properties.static_ip or "",
        enum_text(properties.provisioning_state),
        destination or "none",
        cloud.owns(existing.tags),
    )


def _is_deleting(cloud: ContainerAppsCloud, key: Key) -> bool:
    existing = get_environment(cloud, key)
    return existing is not None and existing.state == DELETING
