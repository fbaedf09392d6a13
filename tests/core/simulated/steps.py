"""The steps of a deployment to the simulated cloud, as a provider would write them.

    Endpoint(Service(Image(Repository), Cluster, Firewall(Network)))

Repositories, clusters and services are named by us, and a name exists only once; the cloud names all the others, which
are found by their tag.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from mldeploy.core.errors import RefusedError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Kinds, Outputs, Resource, Seen, Step, needs
from tests.core.simulated.cloud import Client, CloudError, ExistsError, GoneError, Thing

UNIQUE = frozenset({"repository", "cluster", "service"})
PATIENCE = 600.0


@dataclass(frozen=True, eq=False)
class CloudStep(Step[Client, Thing]):
    """One thing in the simulated cloud, of the app that its tag names."""

    app: str
    name: str

    def settings(self) -> Mapping[str, str]:
        """What can be changed in place."""
        return {}

    def fixed(self) -> Mapping[str, str]:
        """What cannot."""
        return {}

    def key(self) -> Key:
        return Key(self.name, (self.app,))

    def probe(self, cloud: Client, outs: Outputs) -> Seen[Thing] | None:
        things = [each for each in _look(cloud, self.kind, self.key()) if not each.leaving]
        mine = [each for each in things if each.app == self.app]
        if not mine and (self.kind not in UNIQUE or not things):
            return None
        things_by_name = (mine or things)[0]
        moved = ("stands elsewhere",) if things_by_name.uses != self._uses(outs) else ()
        drift = (*_differences(things_by_name, self.settings()), *moved)
        return Seen(things_by_name, drift, tuple(_differences(things_by_name, self.fixed())), ours=bool(mine))

    def apply(self, cloud: Client, outs: Outputs, seen: Seen[Thing] | None, monitor: Monitor) -> Thing:
        thing = self._create(cloud, outs, monitor) if seen is None else seen.out
        if seen:
            thing = cloud.change(thing, self.settings(), self._uses(outs))
        monitor.progress(Progress("", "waiting until it is ready"))
        for _ in monitor.attempts(every=0, within=PATIENCE):
            if thing in cloud.find(self.kind, self.name):
                return thing
        raise CloudError(f"{thing.id} does not become ready")

    def _create(self, cloud: Client, outs: Outputs, monitor: Monitor) -> Thing:
        for _ in monitor.attempts(every=0, within=PATIENCE):
            try:
                settings = {**self.settings(), **self.fixed()}
                return cloud.create(self.kind, self.name, self.app, settings, self._uses(outs))
            except ExistsError:
                others = [each for each in cloud.find(self.kind, self.name) if not each.leaving]
                if others:
                    raise RefusedError(str(self.resource), "was made by someone else meanwhile") from None
        raise CloudError(f"the name {self.name} does not become free")

    def _uses(self, outs: Outputs) -> tuple[str, ...]:
        things = [outs[need] for need in needs(self)]
        return tuple(each.id for each in things if isinstance(each, Thing))

    @staticmethod
    @abstractmethod
    def undo(cloud: Client, key: Key, monitor: Monitor) -> bool: ...


def _differences(things_by_name: Thing, expected: Mapping[str, str]) -> Iterable[str]:
    return (
        f"{key} {things_by_name.settings.get(key)} → {value}"
        for key, value in expected.items()
        if things_by_name.settings.get(key) != value
    )


def _look(cloud: Client, kind: str, key: Key) -> tuple[Thing, ...]:
    """All that bear the name. That none of them is ours is believed only after as many looks as listings may lag."""
    things_by_name = cloud.find(kind, key.name)
    for _ in range(cloud.lag):
        if any((each.app,) == key.scope and not each.leaving for each in things_by_name):
            break
        things_by_name = cloud.find(kind, key.name)
    return things_by_name


def remove(cloud: Client, kind: str, key: Key, monitor: Monitor) -> bool:
    """What `undo` does for every kind here: delete what bears the app's tag, and wait until it is gone."""
    (app,) = key.scope
    mine = [each for each in _look(cloud, kind, key) if each.app == app]
    for thing in mine:
        if not thing.leaving:
            try:
                cloud.delete(thing)
            except GoneError:
                continue
    for _ in monitor.attempts(every=0, within=PATIENCE) if mine else ():
        if not [each for each in cloud.find(kind, key.name) if each.app == app]:
            return True
    if mine:
        raise CloudError(f"{kind} {key} does not go away")
    return False


@dataclass(frozen=True, eq=False)
class Repository(CloudStep):
    kind: ClassVar[str] = "repository"
    title: ClassVar[str] = "Create repository"

    @staticmethod
    def undo(cloud: Client, key: Key, monitor: Monitor) -> bool:
        return remove(cloud, Repository.kind, key, monitor)


@dataclass(frozen=True, eq=False)
class Image(CloudStep):
    kind: ClassVar[str] = "image"
    title: ClassVar[str] = "Push image"

    repository: Repository
    digest: str

    def settings(self) -> Mapping[str, str]:
        return {"digest": self.digest}

    @staticmethod
    def undo(cloud: Client, key: Key, monitor: Monitor) -> bool:
        return remove(cloud, Image.kind, key, monitor)


@dataclass(frozen=True, eq=False)
class Network(CloudStep):
    kind: ClassVar[str] = "network"
    title: ClassVar[str] = "Create network"

    region: str

    def fixed(self) -> Mapping[str, str]:
        return {"region": self.region}

    @staticmethod
    def undo(cloud: Client, key: Key, monitor: Monitor) -> bool:
        return remove(cloud, Network.kind, key, monitor)


@dataclass(frozen=True, eq=False)
class Firewall(CloudStep):
    kind: ClassVar[str] = "firewall"
    title: ClassVar[str] = "Open port"

    network: Network
    port: int

    def settings(self) -> Mapping[str, str]:
        return {"port": str(self.port)}

    @staticmethod
    def undo(cloud: Client, key: Key, monitor: Monitor) -> bool:
        return remove(cloud, Firewall.kind, key, monitor)


@dataclass(frozen=True, eq=False)
class Cluster(CloudStep):
    kind: ClassVar[str] = "cluster"
    title: ClassVar[str] = "Create cluster"

    nodes: int

    def settings(self) -> Mapping[str, str]:
        return {"nodes": str(self.nodes)}

    @staticmethod
    def undo(cloud: Client, key: Key, monitor: Monitor) -> bool:
        return remove(cloud, Cluster.kind, key, monitor)


@dataclass(frozen=True, eq=False)
class Service(CloudStep):
    kind: ClassVar[str] = "service"
    title: ClassVar[str] = "Start service"

    image: Image
    cluster: Cluster
    firewall: Firewall

    def probe(self, cloud: Client, outs: Outputs) -> Seen[Thing] | None:
        self._uses(outs)  # a service is looked for inside its cluster
        return super().probe(cloud, outs)

    @staticmethod
    def undo(cloud: Client, key: Key, monitor: Monitor) -> bool:
        return remove(cloud, Service.kind, key, monitor)


@dataclass(frozen=True, eq=False)
class Endpoint(CloudStep):
    kind: ClassVar[str] = "endpoint"
    title: ClassVar[str] = "Publish endpoint"

    service: Service
    scheme: str

    def fixed(self) -> Mapping[str, str]:
        return {"scheme": self.scheme}

    @staticmethod
    def undo(cloud: Client, key: Key, monitor: Monitor) -> bool:
        return remove(cloud, Endpoint.kind, key, monitor)


@dataclass(frozen=True, eq=False)
class Part(CloudStep):
    """A thing that may need its like: what random graphs are made of."""

    kind: ClassVar[str] = "part"
    title: ClassVar[str] = "Make part"

    parts: tuple[Part, ...] = ()
    first: Part | None = None

    @staticmethod
    def undo(cloud: Client, key: Key, monitor: Monitor) -> bool:
        return remove(cloud, Part.kind, key, monitor)


@dataclass(frozen=True)
class Config:
    """What the user wrote. Some of the names can differ from the app's, as if they had been renamed."""

    app: str = "insurance"
    cluster: str = "insurance"
    network: str = "insurance"
    firewall: str = "insurance"
    nodes: int = 2
    region: str = "here"
    port: int = 5000
    digest: str = "sha256:1"
    scheme: str = "http"


def image(config: Config) -> Image:
    """The nearer goal: `push`."""
    return Image(config.app, config.app, Repository(config.app, config.app), config.digest)


def endpoint(config: Config) -> Endpoint:
    """The whole way: `deploy`."""
    app = config.app
    cluster = Cluster(app, config.cluster, config.nodes)
    firewall = Firewall(app, config.firewall, Network(app, config.network, config.region), config.port)
    return Endpoint(app, app, Service(app, app, image(config), cluster, firewall), config.scheme)


KINDS: Kinds[Client] = {step.kind: step for step in (Repository, Image, Network, Firewall, Cluster, Service, Endpoint)}


def inventory(cloud: Client, app: str) -> tuple[Resource, ...]:
    """What the cloud itself says is the app's."""
    looks = [cloud.tagged(app) for _ in range(cloud.lag + 1)]
    things_by_name = {each.id: each for look in looks for each in look}
    return tuple(
        Resource(each.kind, Key(each.name, (each.app,))) for each in things_by_name.values() if not each.leaving
    )
