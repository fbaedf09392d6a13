"""The step that starts a new version beside the serving one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mldeploy.app.client import GoldenRow
from mldeploy.app.container import Container
from mldeploy.app.containers import Containers
from mldeploy.core.errors import RefusedError
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.image.cloud import EngineCloud
from mldeploy.image.engine_lock import hold_engine_lock
from mldeploy.image.steps import BuiltImage
from mldeploy.image.types import Image
from mldeploy.providers.base import Release
from mldeploy.providers.errors import nothing_serves
from mldeploy.providers.local.drift import matches_spec, spec_drift, state_drift
from mldeploy.providers.local.history import list_releases
from mldeploy.providers.local.proxy import publishes_port
from mldeploy.providers.local.rollout import LOCK_SUBJECT, ContainerRollout, serving_spec
from mldeploy.providers.local.secrets import with_stored_secrets
from mldeploy.providers.local.settings import LocalSettings
from mldeploy.providers.local.steps import RunningContainer, check_host, limited_spec
from mldeploy.providers.local.traffic import LocalTraffic, canary_release
from mldeploy.providers.traffic import Candidate


@dataclass(frozen=True, eq=False)
class CandidateContainer(Step[EngineCloud, Candidate]):
    """The current image runs in a container beside the serving one, without requests of its own accord.

    It has the kind and the key of the app's container, whose removal takes all containers of the app.
    """

    kind: ClassVar[str] = RunningContainer.kind
    title: ClassVar[str] = "Start the canary"

    image: BuiltImage
    settings: LocalSettings

    def key(self) -> Key:
        return Key(self.image.project.app.name)

    def probe(self, cloud: EngineCloud, outs: Outputs) -> Seen[Candidate] | None:
        containers = Containers(cloud.engine, self.image.project.app.name)
        serving, canary = containers.own(containers.serving), containers.own(containers.canary)
        image = outs.get(self.image)
        if image and serving and self._drift(containers, serving, image) == ():
            leftover = (f"canary {canary.spec.image} → removed",) if canary else ()
            return Seen(Candidate(serving_release(serving), serving.url), leftover)
        if canary is None:
            return None
        drift = (
            self._drift(containers, canary, image) if image else (f"image {canary.spec.image} → the one to be built",)
        )
        return Seen(Candidate(canary_release(canary), canary.url), drift)

    def apply(self, cloud: EngineCloud, outs: Outputs, seen: Seen[Candidate] | None, monitor: Monitor) -> Candidate:
        """Start and examine the version. The serving one keeps all requests, whatever happens.

        Raises AbsentError if nothing serves, VerdictError, RefusedError, LockedError, EngineError; ProjectError if the
        golden row cannot be read.
        """
        project = with_stored_secrets(self.image.project)
        check_host(cloud, project, self.settings, monitor)
        golden = GoldenRow.load(project.check.golden, project.app) if project.check.golden else None
        containers = Containers(cloud.engine, project.app.name)
        # An earlier candidate is another version, or a version that serves already needs none.
        if containers.own(containers.canary):
            LocalTraffic(cloud.engine, project, self.settings).abort(monitor)
        with hold_engine_lock(cloud.engine, project.app.name, LOCK_SUBJECT):
            rollout = ContainerRollout(containers, project, golden, monitor)
            current = self._require_serving(rollout.settle(self.settings.restart))
            spec = serving_spec(project.app, self.settings, containers.image(outs[self.image].reference))
            desired = limited_spec(containers, spec, monitor)
            if matches_spec(current, desired):
                return Candidate(serving_release(current), current.url)
            canary = rollout.place(desired, current)
        return Candidate(canary_release(canary), canary.url)

    @staticmethod
    def undo(cloud: EngineCloud, key: Key, monitor: Monitor) -> bool:
        return RunningContainer.undo(cloud, key, monitor)

    def _require_serving(self, current: Container | None) -> Container:
        if current is None or not current.running:
            raise nothing_serves(self.key().name)
        if publishes_port(current):
            what = "was deployed by an earlier mldeploy, without the proxy that divides the requests"
            raise RefusedError(current.name, what, "Run `mldeploy deploy` once without --canary.")
        return current

    def _drift(self, containers: Containers, container: Container, image: Image) -> tuple[str, ...]:
        spec = serving_spec(
            with_stored_secrets(self.image.project).app, self.settings, containers.image(image.reference)
        )
        lines = spec_drift(container, containers.limits().apply_to(spec))
        problem = state_drift(container)
        return (*((problem,) if problem else ()), *lines)


def serving_release(serving: Container) -> Release:
    """Return the release of the serving container."""
    now = list_releases(serving)[0]
    return Release(now.tag, serving.spec.image, now.created, "serving")
