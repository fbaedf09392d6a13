"""The two steps of the local target: the container that runs, and the URL that answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.image.client import AnswerError, AppClient, GoldenRow
from mldeploy.image.cloud import EngineCloud
from mldeploy.image.errors import EngineError
from mldeploy.image.running.container import Container
from mldeploy.image.running.containers import Containers
from mldeploy.image.running.spec import ContainerSpec, ImageConfig, is_less_limited
from mldeploy.image.steps import BuiltImage
from mldeploy.image.types import Image
from mldeploy.providers.base import Address
from mldeploy.providers.local.drift import answer_drift, spec_drift, state_drift
from mldeploy.providers.local.ports import any_free_port
from mldeploy.providers.local.rollout import Rolled, Rollout
from mldeploy.providers.local.settings import LocalSettings
from mldeploy.providers.local.wanted import wanted


@dataclass(frozen=True)
class Running:
    """A container that serves the app.

    problem: how it fails to answer, as a drift. is_new: nothing served before. was_replaced: another container served
    before. gap_seconds and remarks: as in `Address`.
    """

    container: str
    url: str
    image: Image
    problem: str = ""
    is_new: bool = False
    was_replaced: bool = False
    gap_seconds: float | None = None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class RunningContainer(Step[EngineCloud, Running]):
    """The app runs in a container on the engine, on its port, healthy, with the image that was built."""

    kind: ClassVar[str] = "container"
    title: ClassVar[str] = "Run the container"

    image: BuiltImage
    settings: LocalSettings

    def key(self) -> Key:
        return Key(self.image.project.app.name)

    def probe(self, cloud: EngineCloud, outs: Outputs) -> Seen[Running] | None:
        """An app that does not answer its health path, or whose image is about to be built, has drifted."""
        containers = Containers(cloud.engine, self.image.project.app.name)
        found = containers.all()
        serving = next((each for each in found if each.name == containers.serving), None)
        serving = serving or containers.get(containers.serving)
        container = serving or next(iter(found), None)
        if container is None:
            return None
        image = outs.get(self.image)
        if not container.ours:
            out = Running(container.id, container.url, _image_of(container, image))
            return Seen(out, (f"the name {container.name} is taken",), ours=False)
        problem = state_drift(container) or answer_drift(container, self.image.project.app.health)
        out = Running(container.id, container.url, _image_of(container, image), problem=problem)
        leftovers = [f"leftover container {each.name} → removed" for each in found if each != container]
        if container.name != containers.serving:
            leftovers.append(f"interrupted rollout of {container.name} → finished")
        made = self._made_otherwise(containers, container, image)
        return Seen(out, (*([problem] if problem else ()), *made, *leftovers))

    def apply(self, cloud: EngineCloud, outs: Outputs, seen: Seen[Running] | None, monitor: Monitor) -> Running:
        """Roll the image out; the version that serves is kept until the new one has answered in its place.

        Raises VerdictError, PortTakenError, RefusedError, EngineError; ProjectError if the golden row cannot be read.
        """
        project, image = self.image.project, outs[self.image]
        self._check_place(cloud, monitor)
        golden = GoldenRow.load(project.check.golden) if project.check.golden else None
        containers = Containers(cloud.engine, project.app.name)
        rollout = Rollout(containers, project, self.settings, golden, monitor)
        current = rollout.settle()
        host_port = self._port_of(current) or any_free_port(self.settings.host)
        spec = wanted(project.app, self.settings, containers.image(image.reference), host_port)
        rolled = rollout.run(self._limited(containers, spec, monitor), current)
        return self._running(rolled, image, before=current)

    @staticmethod
    def undo(cloud: EngineCloud, key: Key, monitor: Monitor) -> bool:
        """Stop and remove every container of the app, also those that a crash left. What was accepted is finished."""
        containers = Containers(cloud.engine, key.name)
        found = containers.all()
        for each in found:
            monitor.progress(Progress("", f"stopping {each.name}"))
            containers.stop(each)
            containers.remove(each.id)
        return bool(found)

    def _made_otherwise(self, containers: Containers, container: Container, image: Image | None) -> tuple[str, ...]:
        was = container.spec
        base = containers.image(image.reference) if image else ImageConfig(was.image, was.image_id, not was.init)
        spec = wanted(self.image.project.app, self.settings, base, self._port_of(container))
        if is_less_limited(was, spec):
            spec = containers.limits().kept(spec)
        drift = spec_drift(container, spec)
        return drift if image else (f"image {was.image} → the one to be built", *drift)

    @staticmethod
    def _limited(containers: Containers, spec: ContainerSpec, monitor: Monitor) -> ContainerSpec:
        kept = containers.limits().kept(spec)
        if kept != spec:
            text = "This engine cannot set every limit of [app]: the app may use more memory, CPUs or processes."
            monitor.note(text, warning=True)
        return kept

    def _port_of(self, current: Container | None) -> int:
        """The host's port; with the setting 0, the one that the app has had so far, or 0."""
        port = self.image.project.app.port if self.settings.port is None else self.settings.port
        return port or (current.spec.host_port if current else 0)

    def _check_place(self, cloud: EngineCloud, monitor: Monitor) -> None:
        if cloud.machine:
            what = f"the engine runs on {cloud.machine}, and its ports are published there, not on this machine"
            raise EngineError(cloud.engine.endpoint, what, "Choose an engine on this machine: `docker context use`.")
        if self.settings.is_public:
            text = f"The app answers everybody who can reach {self.settings.host}, without a password or encryption."
            monitor.note(text, warning=True)

    @staticmethod
    def _running(rolled: Rolled, image: Image, before: Container | None) -> Running:
        container, gap = rolled.container, rolled.gap_seconds
        replaced = before is not None and before.id != container.id
        remarks = [f"moved here from {before.url}"] if before and before.url != container.url else []
        if gap is not None:
            remarks.append(f"the port did not answer for {gap:.1f} s while the versions changed")
        return Running(
            container.id,
            container.url,
            image,
            is_new=before is None,
            was_replaced=replaced,
            gap_seconds=gap,
            remarks=tuple(remarks),
        )


@dataclass(frozen=True, eq=False)
class LocalEndpoint(Step[EngineCloud, Address]):
    """The app answers at its URL."""

    kind: ClassVar[str] = "endpoint"
    title: ClassVar[str] = "Answer at the URL"

    container: RunningContainer

    def key(self) -> Key:
        return self.container.key()

    def probe(self, cloud: EngineCloud, outs: Outputs) -> Seen[Address] | None:
        """Asks the health path. What has just begun to serve has not answered before this deployment."""
        running = outs.get(self.container)
        if running is None or running.is_new:
            return None
        if running.was_replaced:
            return Seen(_address(running), ("answered by the old container → by the new one",))
        return Seen(_address(running), ("does not answer → answers",) if self._is_silent(running) else ())

    def apply(self, cloud: EngineCloud, outs: Outputs, seen: Seen[Address] | None, monitor: Monitor) -> Address:
        """Raises SilentError or AnswerError if the URL does not answer: the container was healthy a moment ago."""
        running = outs[self.container]
        with AppClient(running.url) as app:
            app.health(self.container.image.project.app.health)
        return _address(running)

    @staticmethod
    def undo(cloud: EngineCloud, key: Key, monitor: Monitor) -> bool:
        """The URL goes with its container: there is nothing else to remove."""
        return False

    def _is_silent(self, running: Running) -> bool:
        if running.problem:
            return True  # it has been asked a moment ago
        with AppClient(running.url) as app:
            try:
                app.health(self.container.image.project.app.health)
            except AnswerError:
                return True
        return False


def _address(running: Running) -> Address:
    return Address(running.url, running.image, running.remarks, running.gap_seconds)


def _image_of(container: Container, image: Image | None) -> Image:
    """What a container runs: the image of this deployment, or what the engine still knows of another one."""
    spec = container.spec
    return image if image and image.reference == spec.image else Image(spec.image, spec.image_id, "", 0, ())
