"""The steps for the container registry and the app's repository in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from azure.mgmt.containerregistry.models import Registry as RegistryModel
from azure.mgmt.containerregistry.models import (
    RegistryNameCheckRequest,
    RegistryProperties,
    RegistryPropertiesUpdateParameters,
    RegistryUpdateParameters,
    Sku,
)

from mldeploy.core.errors import RefusedError
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.image.registry.access import ImageRepository
from mldeploy.image.registry.steps import RepositoryStep
from mldeploy.providers.azure.cloud import AzureClients, AzureCloud
from mldeploy.providers.azure.errors import AzureError, ignore_not_found, translate_errors
from mldeploy.providers.azure.group import TARGET, ResourceGroup, ResourceProvider
from mldeploy.providers.azure.registry_client import (
    REGISTRY_WIDE,
    ContainerRegistryInfo,
    describe_registry,
    parse_registry,
    registry_access,
)
from mldeploy.providers.azure.tags import DERIVED, derive_registry_name, missing_tags, owner_tags, resolve_name
from mldeploy.providers.azure.waiting import run_operation, wait_until_gone

RESOURCE = "Microsoft.ContainerRegistry/registries"
READY, DELETING = "Succeeded", "Deleting"
ADMIN_WARNING = (
    "The registry's admin user is enabled: a shared password that does not expire. If your account may assign roles, "
    'use registry_auth = "identity" instead.'
)


@translate_errors
@dataclass(frozen=True, eq=False)
class ContainerRegistry(Step[AzureCloud, ContainerRegistryInfo]):
    """A registry in the app's group. An existing registry of others is used unchanged."""

    kind: ClassVar[str] = "container-registry"
    title: ClassVar[str] = "Create the container registry"

    app: str
    named: str
    """The name in the settings; empty to derive one."""
    sku: str
    admin: bool
    provider: ResourceProvider
    group: ResourceGroup

    def key(self) -> Key:
        return Key(self.named or f"{self.app}{DERIVED}", (self.group.name,))

    def probe(self, cloud: AzureCloud, outs: Outputs) -> Seen[ContainerRegistryInfo] | None:
        existing = get_registry(cloud, self.key())
        if existing is None or existing.state == DELETING:
            return None
        ours = not missing_tags(existing.tags, cloud.app, TARGET)
        return Seen(existing, tuple(self._drift(existing, ours=ours)), ours=ours)

    def apply(
        self, cloud: AzureCloud, outs: Outputs, seen: Seen[ContainerRegistryInfo] | None, monitor: Monitor
    ) -> ContainerRegistryInfo:
        """Raises RefusedError if the name is taken."""
        if self.admin:
            monitor.note(ADMIN_WARNING, warning=True)
        if seen and seen.out.state == READY:
            return self._update(cloud, monitor)
        name = resolve_registry_name(cloud, self.key())
        wait_until_gone(monitor, name, lambda: not _is_deleting(get_registry(cloud, self.key())))
        if get_registry(cloud, self.key()) is None:
            _check_name_available(cloud, name)
        parameters = RegistryModel(
            location=outs[self.group].region,
            tags=owner_tags(cloud.app, TARGET),
            sku=Sku(name=self.sku),
            properties=RegistryProperties(admin_user_enabled=self.admin, role_assignment_mode=REGISTRY_WIDE),
        )
        begin = partial(cloud.registries.registries.begin_create, self.group.name, name, parameters)
        return _require_ready(parse_registry(run_operation(monitor, name, begin)))

    @staticmethod
    def undo(cloud: AzureCloud, key: Key, monitor: Monitor) -> bool:
        """Delete the registry with all images."""
        existing = get_registry(cloud, key)
        if existing is None or missing_tags(existing.tags, cloud.app, TARGET):
            return False
        if existing.state != DELETING:
            begin = partial(cloud.registries.registries.begin_delete, key.scope[0], existing.name)
            ignore_not_found(partial(run_operation, monitor, existing.name, begin))
        wait_until_gone(monitor, existing.name, lambda: get_registry(cloud, key) is None)
        return True

    def _drift(self, existing: ContainerRegistryInfo, *, ours: bool) -> Iterator[str]:
        if existing.state != READY:
            yield f"state {existing.state or 'unknown'} → {READY}"
        if existing.admin != self.admin and (ours or self.admin):
            yield f"admin user {_on_off(on=existing.admin)} → {_on_off(on=self.admin)}"
        if ours and existing.sku != self.sku:
            yield f"size {existing.sku} → {self.sku}"

    def _update(self, cloud: AzureCloud, monitor: Monitor) -> ContainerRegistryInfo:
        name = resolve_registry_name(cloud, self.key())
        parameters = RegistryUpdateParameters(
            sku=Sku(name=self.sku),
            properties=RegistryPropertiesUpdateParameters(admin_user_enabled=self.admin),
        )
        begin = partial(cloud.registries.registries.begin_update, self.group.name, name, parameters)
        return _require_ready(parse_registry(run_operation(monitor, name, begin)))


@translate_errors
@dataclass(frozen=True, eq=False)
class AcrRepository(RepositoryStep[AzureCloud]):
    """The app's repository. The first push creates it; it is deleted with the registry."""

    kind: ClassVar[str] = "acr-repository"
    title: ClassVar[str] = "Log in to the registry"
    stays: ClassVar[bool] = True

    path: str
    registry: ContainerRegistry

    def key(self) -> Key:
        within = self.registry.key()
        return Key(self.path, (*within.scope, within.name))

    def probe(self, cloud: AzureCloud, outs: Outputs) -> Seen[ImageRepository] | None:
        registry = outs.get(self.registry)
        return Seen(self._repository(cloud, registry)) if registry else None

    def apply(
        self, cloud: AzureCloud, outs: Outputs, seen: Seen[ImageRepository] | None, monitor: Monitor
    ) -> ImageRepository:
        return self._repository(cloud, outs[self.registry])

    @staticmethod
    def undo(cloud: AzureCloud, key: Key, monitor: Monitor) -> bool:
        """Nothing to do: images in a registry of others stay."""
        return False

    def _repository(self, cloud: AzureCloud, registry: ContainerRegistryInfo) -> ImageRepository:
        group = self.registry.group.name
        return ImageRepository(f"{registry.address}/{self.path}", lambda: registry_access(cloud, registry, group))


def resolve_registry_name(cloud: AzureClients, key: Key) -> str:
    """The registry's name for a key."""
    return resolve_name(key.name, cloud.account.subscription, derive_registry_name)


def get_registry(cloud: AzureClients, key: Key) -> ContainerRegistryInfo | None:
    """The registry for a key, or None. It may belong to others."""
    return describe_registry(cloud, key.scope[0], resolve_registry_name(cloud, key))


def registry_exists(cloud: AzureClients, key: Key) -> bool:
    """Whether the app owns this registry and it is not being deleted."""
    existing = get_registry(cloud, key)
    return existing is not None and existing.state != DELETING and not missing_tags(existing.tags, cloud.app, TARGET)


def _check_name_available(cloud: AzureClients, name: str) -> None:
    request = RegistryNameCheckRequest(name=name, type=RESOURCE)
    response = cloud.registries.registries.check_name_availability(request)
    if response.name_available:
        return
    todo = f"Choose another name: `registry` in [{cloud.account.table}]."
    raise RefusedError(
        f"registry {name}", f"the name is taken: {response.message or response.reason or ''}".rstrip(": ."), todo
    )


def _require_ready(registry: ContainerRegistryInfo) -> ContainerRegistryInfo:
    if registry.state != READY:
        what = f"could not be created: its state is {registry.state or 'unknown'}"
        raise AzureError(f"registry {registry.name}", what, "Run the command again. See the Azure portal for details.")
    return registry


def _is_deleting(existing: ContainerRegistryInfo | None) -> bool:
    return existing is not None and existing.state == DELETING


def _on_off(*, on: bool) -> str:
    return "on" if on else "off"
