"""The steps that see to the container registry, and to the way into the app's repository in it."""

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
from mldeploy.image.registry.access import Repository
from mldeploy.image.registry.steps import RepositoryStep
from mldeploy.providers.azure.answers import speaking
from mldeploy.providers.azure.cloud import AzureClients, AzureCloud
from mldeploy.providers.azure.errors import AzureError, found
from mldeploy.providers.azure.group import TARGET, ResourceGroup
from mldeploy.providers.azure.registries import Registry, access, describe, read
from mldeploy.providers.azure.resource_provider import ResourceProvider
from mldeploy.providers.azure.tags import DERIVED, belonging, foreign, registry_name, resolved
from mldeploy.providers.azure.waiting import finish, until_gone

RESOURCE = "Microsoft.ContainerRegistry/registries"
READY, GOING = "Succeeded", "Deleting"
ADMIN_WARNING = (
    "The registry's admin user is on: one password for everybody, which does not expire. With an account that may "
    'assign roles, registry_auth = "identity" needs none.'
)


@speaking
@dataclass(frozen=True, eq=False)
class ContainerRegistry(Step[AzureCloud, Registry]):
    """A registry in the app's group. One that somebody else has made is used as it is."""

    kind: ClassVar[str] = "container-registry"
    title: ClassVar[str] = "Create the container registry"

    app: str
    named: str
    """What the settings call it; empty if its name is to be derived."""
    sku: str
    admin: bool
    provider: ResourceProvider
    group: ResourceGroup

    def key(self) -> Key:
        return Key(self.named or f"{self.app}{DERIVED}", (self.group.name,))

    def probe(self, cloud: AzureCloud, outs: Outputs) -> Seen[Registry] | None:
        there = at(cloud, self.key())
        if there is None or there.state == GOING:
            return None
        ours = not foreign(there.tags, cloud.app, TARGET)
        return Seen(there, tuple(self._drift(there, ours=ours)), ours=ours)

    def apply(self, cloud: AzureCloud, outs: Outputs, seen: Seen[Registry] | None, monitor: Monitor) -> Registry:
        """Raises RefusedError if the name is somebody else's."""
        if self.admin:
            monitor.note(ADMIN_WARNING, warning=True)
        if seen and seen.out.state == READY:
            return self._mended(cloud, monitor)
        name = name_of(cloud, self.key())
        until_gone(monitor, name, lambda: not _is_going(at(cloud, self.key())))
        if at(cloud, self.key()) is None:
            _check_free(cloud, name)
        wanted = RegistryModel(
            location=outs[self.group].region,
            tags=belonging(cloud.app, TARGET),
            sku=Sku(name=self.sku),
            properties=RegistryProperties(admin_user_enabled=self.admin),
        )
        begin = partial(cloud.registries.registries.begin_create, self.group.name, name, wanted)
        return _usable(read(finish(monitor, name, begin)))

    @staticmethod
    def undo(cloud: AzureCloud, key: Key, monitor: Monitor) -> bool:
        """Remove the registry and every image in it."""
        there = at(cloud, key)
        if there is None or foreign(there.tags, cloud.app, TARGET):
            return False
        if there.state != GOING:
            begin = partial(cloud.registries.registries.begin_delete, key.scope[0], there.name)
            found(partial(finish, monitor, there.name, begin))
        until_gone(monitor, there.name, lambda: at(cloud, key) is None)
        return True

    def _drift(self, there: Registry, *, ours: bool) -> Iterator[str]:
        if there.state != READY:
            yield f"state {there.state or 'unknown'} → {READY}"
        if there.admin != self.admin and (ours or self.admin):
            yield f"admin user {_switch(on=there.admin)} → {_switch(on=self.admin)}"
        if ours and there.sku != self.sku:
            yield f"size {there.sku} → {self.sku}"

    def _mended(self, cloud: AzureCloud, monitor: Monitor) -> Registry:
        name = name_of(cloud, self.key())
        wanted = RegistryUpdateParameters(
            sku=Sku(name=self.sku),
            properties=RegistryPropertiesUpdateParameters(admin_user_enabled=self.admin),
        )
        begin = partial(cloud.registries.registries.begin_update, self.group.name, name, wanted)
        return _usable(read(finish(monitor, name, begin)))


@speaking
@dataclass(frozen=True, eq=False)
class AcrRepository(RepositoryStep[AzureCloud]):
    """The app's repository: the first push makes it, and it goes with its registry."""

    kind: ClassVar[str] = "acr-repository"
    title: ClassVar[str] = "Log in to the registry"
    stays: ClassVar[bool] = True

    path: str
    registry: ContainerRegistry

    def key(self) -> Key:
        within = self.registry.key()
        return Key(self.path, (*within.scope, within.name))

    def probe(self, cloud: AzureCloud, outs: Outputs) -> Seen[Repository] | None:
        registry = outs.get(self.registry)
        return Seen(self._entered(cloud, registry)) if registry else None

    def apply(self, cloud: AzureCloud, outs: Outputs, seen: Seen[Repository] | None, monitor: Monitor) -> Repository:
        return self._entered(cloud, outs[self.registry])

    @staticmethod
    def undo(cloud: AzureCloud, key: Key, monitor: Monitor) -> bool:
        """What is in a registry of somebody else's stays there."""
        return False

    def _entered(self, cloud: AzureCloud, registry: Registry) -> Repository:
        group = self.registry.group.name
        return Repository(f"{registry.address}/{self.path}", lambda: access(cloud, registry, group))


def name_of(cloud: AzureClients, key: Key) -> str:
    """What a registry is called."""
    return resolved(key.name, cloud.account.subscription, registry_name)


def at(cloud: AzureClients, key: Key) -> Registry | None:
    """The registry that a key names, whoever made it."""
    return describe(cloud, key.scope[0], name_of(cloud, key))


def is_there(cloud: AzureClients, key: Key) -> bool:
    """The app has this registry, and it will stay."""
    there = at(cloud, key)
    return there is not None and there.state != GOING and not foreign(there.tags, cloud.app, TARGET)


def _check_free(cloud: AzureClients, name: str) -> None:
    asked = RegistryNameCheckRequest(name=name, type=RESOURCE)
    told = cloud.registries.registries.check_name_availability(asked)
    if told.name_available:
        return
    todo = f"Choose another name: `registry` in [{cloud.account.table}]."
    raise RefusedError(
        f"registry {name}", f"the name is taken: {told.message or told.reason or ''}".rstrip(": ."), todo
    )


def _usable(registry: Registry) -> Registry:
    if registry.state != READY:
        what = f"could not be made: its state is {registry.state or 'unknown'}"
        raise AzureError(f"registry {registry.name}", what, "Run the command again; the Azure portal may say more.")
    return registry


def _is_going(there: Registry | None) -> bool:
    return there is not None and there.state == GOING


def _switch(*, on: bool) -> str:
    return "on" if on else "off"
