"""One app on the real engine, deployed and destroyed by the real verbs, under a name that nobody else has."""

from __future__ import annotations

import contextlib
import io
import json
import tarfile
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import requests
from docker.errors import ImageNotFound

from mldeploy.app.container import Container
from mldeploy.app.containers import Containers
from mldeploy.config.secret import Secret
from mldeploy.config.settings import App, Build, Check, Project
from mldeploy.core.events import Action, Event, Finished, Noted, Progressed, ignore
from mldeploy.core.journal import Journal, Scope, Session, read
from mldeploy.core.monitor import Cancel, Monitor
from mldeploy.core.step import Key, Kinds, Outputs, Resource, Seen
from mldeploy.core.verbs import Deployed, DeploymentFailedError, Destroyed, Plan, deploy, destroy, plan
from mldeploy.image.cloud import EngineCloud, HasEngine
from mldeploy.image.engine import Engine
from mldeploy.image.errors import engine_errors
from mldeploy.image.labels import APP, owner_filter, owner_labels
from mldeploy.image.steps import BaseImage, BuiltImage
from mldeploy.image.types import BaseDigest, Image
from mldeploy.providers.base import Address
from mldeploy.providers.local import provider
from mldeploy.providers.local.proxy import ProxyContainers
from mldeploy.providers.local.settings import LocalSettings
from mldeploy.providers.local.steps import LocalEndpoint, RunningContainer

SERVER = Path(__file__).parent / "tiny_server.py"
BASE = "mldeploy/python:3.11-slim"
COMMAND = ("python3", "/server.py")
MIB = 1 << 20


@dataclass(frozen=True, eq=False)
class TinyBase(BaseImage):
    """A base image that is there."""

    def probe(self, cloud: HasEngine, outs: Outputs) -> Seen[BaseDigest]:
        return Seen(BaseDigest(()))


@dataclass(frozen=True, eq=False)
class TinyImage(BuiltImage):
    """An image of the tests' own: the base and the tiny server. `tag` stands for its contents.

    It is committed rather than built: tests that run beside each other would share the builder's cache, and take parts
    of it away from one another.
    """

    tag: str = "1"
    command: tuple[str, ...] = COMMAND

    @property
    def reference(self) -> str:
        return f"{self.project.app.name}:{self.tag}"

    def probe(self, cloud: HasEngine, outs: Outputs) -> Seen[Image] | None:
        # Not a list of images: that misses a tag which another deployment moves to its own image meanwhile.
        with engine_errors(self.reference):
            try:
                found = cloud.engine.client.inspect_image(self.reference)
            except ImageNotFound:
                return None
        return Seen(Image(self.reference, found["Id"], "linux/amd64", found["Size"], ()))

    def apply(self, cloud: HasEngine, outs: Outputs, seen: Seen[Image] | None, monitor: Monitor) -> Image:
        client, labels = cloud.engine.client, {**owner_labels(self.project.app.name), "tag": self.tag}
        changes = [
            "USER 10001",
            f"CMD {json.dumps(self.command)}",
            *(f"LABEL {name}={labels[name]}" for name in labels),
        ]
        with engine_errors(self.reference):
            made = client.create_container(BASE)["Id"]
            client.put_archive(made, "/", _files())
            client.commit(made, self.project.app.name, self.tag, changes=changes)
            client.remove_container(made)
        found = self.probe(cloud, outs)
        assert found
        return found.out

    @staticmethod
    def undo(cloud: HasEngine, key: Key, monitor: Monitor) -> bool:
        with engine_errors(key.name):
            found = cloud.engine.client.images(filters=owner_filter(key.name))
            for each in found:
                cloud.engine.client.remove_image(each["Id"], force=True)
        return bool(found)


def _files() -> bytes:
    """The server, and a program that no processor can run."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, data in (("server.py", SERVER.read_bytes()), ("alien", b"\x7fELF\x02nonsense")):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o755
            archive.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


KINDS: Kinds[EngineCloud] = {**provider.kinds, TinyBase.kind: TinyBase, TinyImage.kind: TinyImage}


@dataclass
class World:
    """An app's configuration, and what the commands do with it. `tag` is the image's; a new one is a new image."""

    engine: Engine
    folder: Path
    project: Project
    settings: LocalSettings
    tag: str = "1"
    command: tuple[str, ...] = COMMAND
    events: list[Event] = field(default_factory=list)
    on_event: Callable[[Event], None] = ignore

    @classmethod
    def of(cls, engine: Engine, folder: Path, name: str, port: int) -> World:
        app = App(
            name=name,
            folder=folder,
            entry="app:app",
            port=8000,
            health="/health",
            predict="/predict_api",
            predict_table="/predict",
            models=(),
            memory=128 * MIB,
            cpus=1.0,
            workers=0,
            threads=0,
            read_only=True,
            env=(),
        )
        build = Build(BASE, "linux/amd64", "requirements.txt", None, (), None)
        settings = LocalSettings(port=port, stop_timeout=5)  # type: ignore[call-arg]  # the other fields have defaults
        return cls(engine, folder, Project(app, build, Check(None, 300.0)), settings)

    @property
    def name(self) -> str:
        return self.project.app.name

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.settings.port}"

    @property
    def cloud(self) -> EngineCloud:
        return EngineCloud(self.engine)

    @property
    def goal(self) -> LocalEndpoint:
        image = TinyImage(self.project, TinyBase(self.project), self.tag, self.command)
        return LocalEndpoint(RunningContainer(image, self.settings))

    @property
    def containers(self) -> tuple[Container, ...]:
        return Containers(self.engine, self.name).all()

    @property
    def proxy(self) -> Container:
        """The proxy, which must be the only one."""
        (proxy,) = ProxyContainers.of(self.engine, self.name).containers.all()
        assert proxy.name == f"mldeploy-{self.name}-proxy"
        return proxy

    @property
    def leftovers(self) -> list[str]:
        """All that the engine still has of the app, beside its images."""
        client, filters = self.engine.client, {"label": f"{APP}={self.name}"}
        listed = client.containers(all=True, filters=filters)
        return [each["Id"] for each in (*listed, *client.networks(filters=filters))]

    @property
    def notes(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Noted)]

    @property
    def journalled(self) -> Collection[Resource]:
        return read(self.folder / "state", Scope(self.name, "local"))

    def app(self, **changes: object) -> None:
        """Change keys of `[app]`."""
        self.project = replace(self.project, app=replace(self.project.app, **changes))  # type: ignore[arg-type]

    def check(self, **changes: object) -> None:
        """Change keys of `[check]`."""
        self.project = replace(self.project, check=replace(self.project.check, **changes))  # type: ignore[arg-type]

    def target(self, **changes: object) -> None:
        """Change keys of `[target.local]`."""
        self.settings = self.settings.model_copy(update=changes)

    def env(self, **variables: str) -> None:
        """The app's environment from now on."""
        self.app(env=tuple(sorted((name, Secret(value)) for name, value in variables.items())))

    def deploy(self, cancel: Cancel | None = None) -> Deployed[Address]:
        with self._journal("deploy") as journal:
            return deploy(self.goal, Session(self.cloud, journal, cancel or Cancel(), self.hear), sweep=KINDS)

    def fail(self) -> Exception:
        """Deploy, and return the error with which that ends."""
        try:
            self.deploy()
        except DeploymentFailedError as error:
            return error.failures[0][1]
        raise AssertionError("the deployment succeeded")

    def get(self, path: str = "/") -> Any:
        """What the app answers on its port."""
        return requests.get(self.url + path, timeout=60).json()

    def await_answer(self) -> None:
        """Return once what was started by hand answers: that takes a moment after its container runs."""
        while True:
            with contextlib.suppress(requests.ConnectionError):
                if requests.get(self.url, timeout=30).ok:
                    return
            time.sleep(0.05)

    @property
    def version(self) -> str:
        """The version that answers."""
        return str(self.get()["version"])

    @property
    def drift(self) -> tuple[str, ...]:
        """What a deployment would mend of the container."""
        return next(change.reasons for change in self.plan().changes if change.resource.kind == "container")

    @property
    def mended(self) -> tuple[str, ...]:
        """What the last deployment has mended of the container."""
        done = [event for event in self.events if isinstance(event, Finished) and event.resource.kind == "container"]
        return done[-1].drift

    @property
    def serving(self) -> Container:
        """The container that serves, which must be the only one."""
        (container,) = self.containers
        assert container.name == f"mldeploy-{self.name}"
        assert container.running
        return container

    def plan(self) -> Plan:
        return plan(self.goal, self.cloud, Cancel(), begun=self.journalled, sweep=KINDS)

    def destroy(self) -> Destroyed:
        with self._journal("destroy") as journal:
            session = Session(self.cloud, journal, Cancel(), self.hear)
            return destroy(KINDS, session, named=(), inventory=lambda: provider.inventory(self.cloud, self.project))

    def hear(self, event: Event) -> None:
        self.events.append(event)
        self.on_event(event)

    def _journal(self, command: str) -> Journal:
        return Journal(self.folder / "state", Scope(self.name, "local"), command)


def is_switching(event: Event) -> bool:
    """The new version has passed its examination, and gets no requests yet."""
    return isinstance(event, Progressed) and "switching to" in event.progress.text


def is_draining(event: Event) -> bool:
    """The new version gets the requests, and the old one still has some."""
    return isinstance(event, Progressed) and "finishes its requests" in event.progress.text


def actions(deployed: Deployed[Address]) -> Mapping[str, Action]:
    """What was done to the things of this room, by their kind."""
    return {
        step.resource.kind: step.action for step in deployed.steps if step.resource.kind in ("container", "endpoint")
    }
