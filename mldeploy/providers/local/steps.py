"""The steps of the local target: the running container behind its proxy, and the URL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mldeploy.app.client import AnswerError, AppClient, GoldenRow
from mldeploy.app.container import Container
from mldeploy.app.container_spec import ContainerSpec, ImageConfig, is_less_limited
from mldeploy.app.containers import Containers
from mldeploy.config.access_keys import KEY
from mldeploy.config.settings import Project
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.image.cloud import EngineCloud
from mldeploy.image.engine_lock import hold_engine_lock
from mldeploy.image.errors import EngineError
from mldeploy.image.steps import BuiltImage
from mldeploy.image.types import Image
from mldeploy.providers.base import Address
from mldeploy.providers.local.drift import answer_drift, proxy_drift, spec_drift, state_drift
from mldeploy.providers.local.proxy import ProxyContainers, proxy_spec, public_url, published_spec, publishes_port
from mldeploy.providers.local.proxy_rollout import desired_port, open_rollout
from mldeploy.providers.local.rollout import LOCK_SUBJECT, ContainerRollout, ContainerRolloutResult, serving_spec
from mldeploy.providers.local.secrets import with_stored_secrets
from mldeploy.providers.local.settings import LocalSettings
from mldeploy.providers.local.traffic import refuse_canary


@dataclass(frozen=True)
class ServingContainer:
    """A container that serves the app.

    problem: why it does not serve, as a drift. is_new: nothing served before. was_replaced: another container served
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
class RunningContainer(Step[EngineCloud, ServingContainer]):
    """The app runs healthy in a container on the engine, on its port, with the current image."""

    kind: ClassVar[str] = "container"
    title: ClassVar[str] = "Run the container"

    image: BuiltImage
    settings: LocalSettings

    def key(self) -> Key:
        return Key(self.image.project.app.name)

    def probe(self, cloud: EngineCloud, outs: Outputs) -> Seen[ServingContainer] | None:
        """An app that does not answer its health path, or whose image is not built yet, has drifted."""
        containers = Containers(cloud.engine, self.image.project.app.name)
        proxies = ProxyContainers.of(cloud.engine, self.image.project.app.name)
        listed = containers.all()
        existing = tuple(each for each in listed if each.name != containers.canary)
        serving = next((each for each in existing if each.name == containers.serving), None)
        serving = serving or containers.get(containers.serving)
        container = serving or next(iter(existing), None)
        if container is None:
            return None
        image = outs.get(self.image)
        for each in filter(None, (container, proxies.containers.get(proxies.name))):
            if not each.ours:
                out = ServingContainer(container.id, container.url, _image_of(container, image))
                return Seen(out, (f"the name {each.name} is taken",), ours=False)
        proxy = proxies.current()
        url = public_url(container, proxy)
        problem = state_drift(container) or answer_drift(url, self.image.project.app.health)
        out = ServingContainer(container.id, url, _image_of(container, image), problem=problem)
        others = (each for each in (*existing, *proxies.containers.all()) if each not in (container, proxy))
        leftovers = [f"leftover container {each.name} → removed" for each in others]
        if len(listed) > len(existing):
            leftovers.append("a canary stands beside it → promoted or aborted")
        if container.name != containers.serving:
            leftovers.append(f"interrupted rollout of {container.name} → finished")
        drift = [*([problem] if problem else ()), *self._spec_drift_of(containers, container, proxy, image)]
        if drift and publishes_port(container):
            drift.append("port published by the app's container → by a proxy")
        return Seen(out, (*drift, *leftovers))

    def apply(
        self, cloud: EngineCloud, outs: Outputs, seen: Seen[ServingContainer] | None, monitor: Monitor
    ) -> ServingContainer:
        """Roll the image out. The old version is kept until the new one has answered on its port.

        Raises VerdictError, PortTakenError, RefusedError (as while a canary stands), LockedError, EngineError;
        ProjectError if the golden row cannot be read.
        """
        project, image = with_stored_secrets(self.image.project), outs[self.image]
        check_host(cloud, project, self.settings, monitor)
        golden = GoldenRow.load(project.check.golden, project.app) if project.check.golden else None
        containers = Containers(cloud.engine, project.app.name)
        refuse_canary(containers)
        rollout = ContainerRollout(containers, project, golden, monitor)
        with hold_engine_lock(cloud.engine, project.app.name, LOCK_SUBJECT):
            current = rollout.settle(self.settings.restart)
            port = open_rollout(containers, project, self.settings, image.reference, current, monitor)
            before = port.holder.url if port.holder else ""
            spec = serving_spec(project.app, self.settings, containers.image(image.reference))
            rolled = rollout.run(limited_spec(containers, spec, monitor), port, current)
        return self._running(rolled, image, current, before)

    @staticmethod
    def undo(cloud: EngineCloud, key: Key, monitor: Monitor) -> bool:
        """Stop and remove the proxy, all containers of the app and their network. Accepted requests are finished."""
        containers, proxies = Containers(cloud.engine, key.name), ProxyContainers.of(cloud.engine, key.name)
        with hold_engine_lock(cloud.engine, key.name, LOCK_SUBJECT):
            existing = (*proxies.containers.all(), *containers.all())
            for each in existing:
                monitor.progress(Progress("", f"stopping {each.name}"))
                containers.stop(each)
                containers.remove(each.id)
            had_network = proxies.network.remove()
        return bool(existing) or had_network

    def _spec_drift_of(
        self, containers: Containers, container: Container, proxy: Container | None, image: Image | None
    ) -> tuple[str, ...]:
        was = container.spec
        base = containers.image(image.reference) if image else ImageConfig(was.image, was.image_id, not was.init)
        spec = serving_spec(with_stored_secrets(self.image.project).app, self.settings, base)
        if is_less_limited(was, spec):
            spec = containers.limits().apply_to(spec)
        front = self._proxy_spec(containers, container, proxy)
        if publishes_port(container):
            drift = spec_drift(container, published_spec(spec, front))
        else:
            drift = (*spec_drift(container, spec), *proxy_drift(proxy, front))
        return drift if image else (f"image {was.image} → the one to be built", *drift)

    def _proxy_spec(self, containers: Containers, container: Container, proxy: Container | None) -> ContainerSpec:
        port = desired_port(self.image.project, self.settings, proxy or container)
        image = ImageConfig(self.image.project.build.base_image, "", False)
        spec = proxy_spec(self.image.project, self.settings, image, port)
        return containers.limits().apply_to(spec) if proxy and is_less_limited(proxy.spec, spec) else spec

    @staticmethod
    def _running(
        rolled: ContainerRolloutResult, image: Image, before: Container | None, old_url: str
    ) -> ServingContainer:
        container, gap = rolled.container, rolled.gap_seconds
        replaced = before is not None and before.id != container.id
        remarks = [f"moved from {old_url}"] if before and old_url and old_url != rolled.url else []
        if gap:
            once = ". From now on a proxy holds it" if before and publishes_port(before) else ""
            remarks.append(f"the port did not answer for {gap:.1f} s during the switch{once}")
        return ServingContainer(
            container.id,
            rolled.url,
            image,
            is_new=before is None,
            was_replaced=replaced,
            gap_seconds=gap,
            remarks=tuple(remarks),
        )


def limited_spec(containers: Containers, spec: ContainerSpec, monitor: Monitor) -> ContainerSpec:
    """Return the spec without the limits that this engine cannot set, and warn of them."""
    kept = containers.limits().apply_to(spec)
    if kept != spec:
        text = "This engine does not support all limits of [app]: the app may use more memory, CPUs or processes."
        monitor.note(text, warning=True)
    return kept


def check_host(cloud: EngineCloud, project: Project, settings: LocalSettings, monitor: Monitor) -> None:
    """Raises EngineError if the engine publishes ports on another machine. Warn of a public address."""
    if cloud.machine:
        what = f"the engine runs on {cloud.machine}, and publishes ports there, not on this machine"
        raise EngineError(cloud.engine.endpoint, what, "Choose an engine on this machine: `docker context use`.")
    if settings.is_public:
        text = f"Anyone who can reach {settings.host} can use the app, without a password or encryption."
        if project.app.access == KEY:
            text = f"The app answers at {settings.host} without encryption: who can listen sees the access keys."
        monitor.note(text, warning=True)


@dataclass(frozen=True, eq=False)
class LocalEndpoint(Step[EngineCloud, Address]):
    """The app answers at its URL."""

    kind: ClassVar[str] = "endpoint"
    title: ClassVar[str] = "Answer at the URL"

    container: RunningContainer

    def key(self) -> Key:
        return self.container.key()

    def probe(self, cloud: EngineCloud, outs: Outputs) -> Seen[Address] | None:
        """Check the health path. An app that is new in this deployment counts as absent."""
        running = outs.get(self.container)
        if running is None or running.is_new:
            return None
        if running.was_replaced:
            return Seen(_address(running), ("switched to the new version",))
        return Seen(_address(running), ("does not answer → answers",) if self._is_silent(running) else ())

    def apply(self, cloud: EngineCloud, outs: Outputs, seen: Seen[Address] | None, monitor: Monitor) -> Address:
        """Check the URL again. Raises SilentError or AnswerError if it does not answer."""
        running = outs[self.container]
        with AppClient(running.url, monitor=monitor) as app:
            app.health(self.container.image.project.app.health)
        return _address(running)

    @staticmethod
    def undo(cloud: EngineCloud, key: Key, monitor: Monitor) -> bool:
        """There is nothing to remove."""
        return False

    def _is_silent(self, running: ServingContainer) -> bool:
        if running.problem:
            return True  # already checked
        with AppClient(running.url) as app:
            try:
                app.health(self.container.image.project.app.health)
            except AnswerError:
                return True
        return False


def _address(running: ServingContainer) -> Address:
    return Address(running.url, running.image, running.remarks, running.gap_seconds)


def _image_of(container: Container, image: Image | None) -> Image:
    """Return a container's image: the image of this deployment, or the engine's data on another one."""
    spec = container.spec
    return image if image and image.reference == spec.image else Image(spec.image, spec.image_id, "", 0, ())
