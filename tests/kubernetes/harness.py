"""An app and a cluster on fake to deploy it to."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from mldeploy.app.verdict import VerdictError
from mldeploy.config.secret import Secret
from mldeploy.config.settings import Project
from mldeploy.core import verbs
from mldeploy.core.events import Event, Events, Noted, ignore
from mldeploy.core.journal import Journal, Scope, Session
from mldeploy.core.monitor import Cancel, Monitor
from mldeploy.core.step import Key, Resource
from mldeploy.core.verbs import DeploymentFailedError
from mldeploy.providers.base import Address
from mldeploy.providers.kubernetes.operations import InClusterService
from mldeploy.providers.kubernetes.provider import KubernetesProvider
from mldeploy.providers.kubernetes.settings import KubernetesSettings
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.types import Object
from tests.kubernetes.fake.server import FakeCluster

PROVIDER = KubernetesProvider()


@dataclass
class DeployHarness:
    """One app on one cluster; each command with clients of its own. notes: what was said meanwhile."""

    fake: FakeCluster
    project: Project
    state: Path
    settings: KubernetesSettings = field(
        default_factory=lambda: KubernetesSettings.model_validate({"ingress": "cluster-ip"})
    )
    notes: list[str] = field(default_factory=list)

    @property
    def app(self) -> str:
        return self.project.app.name

    def set(self, **values: object) -> None:
        """Other settings from now on."""
        self.settings = KubernetesSettings.model_validate({"ingress": "cluster-ip", **values})

    def tell(self, **values: str) -> None:
        """Other variables from now on: another version."""
        env = tuple(sorted((name, Secret(value)) for name, value in values.items()))
        self.project = replace(self.project, app=replace(self.project.app, env=env))

    def expect(self, answer: object) -> None:
        """A golden row from now on."""
        golden = self.state.with_name("golden.json")
        golden.write_text(json.dumps({"path": "/predict", "request": {"age": 19}, "expect": answer}))
        self.project = replace(self.project, check=replace(self.project.check, golden=golden))

    def deploy(self, events: Events | None = None, cancel: Cancel | None = None) -> Address:
        cloud = PROVIDER.connect(self.project, self.settings, self.fake.endpoints)
        scope = Scope(self.app, PROVIDER.name, PROVIDER.place(cloud))
        goal = PROVIDER.goal(self.project, self.settings)
        with Journal(self.state, scope, "test") as journal:
            session = Session(cloud, journal, cancel or Cancel(), events or self._hear)
            return verbs.deploy(goal, session, sweep=PROVIDER.kinds).out

    def fail(self) -> VerdictError:
        """Deploy what cannot serve; why not."""
        error = self.refused()
        assert isinstance(error, VerdictError), error
        return error

    def refused(self, events: Events | None = None) -> Exception:
        """Deploy what does not come to its end; why not."""
        try:
            self.deploy(events)
        except DeploymentFailedError as failed:
            return failed.failures[0][1]
        raise AssertionError("it was deployed")

    def plan(self) -> verbs.Plan:
        cloud = PROVIDER.connect(self.project, self.settings, self.fake.endpoints)
        return verbs.plan(PROVIDER.goal(self.project, self.settings), cloud, Cancel(), sweep=PROVIDER.kinds)

    def destroy(self) -> verbs.Destroyed:
        """From another machine: nobody knows but the cluster."""
        cloud = PROVIDER.connect(self.project, self.settings, self.fake.endpoints)
        scope = Scope(self.app, PROVIDER.name, PROVIDER.place(cloud))
        with Journal(self.state.with_name("elsewhere"), scope, "test") as journal:
            session = Session(cloud, journal, Cancel(), self._hear)
            inventory = lambda: PROVIDER.inventory(cloud, self.project)  # noqa: E731 - it is asked twice
            return verbs.destroy(PROVIDER.kinds, session, named=(), inventory=inventory)

    @property
    def service(self) -> InClusterService:
        cloud = PROVIDER.connect(self.project, self.settings, self.fake.endpoints)
        return PROVIDER.service(cloud, self.project, self.settings)

    @property
    def monitor(self) -> Monitor:
        return Monitor(Resource("service", Key(self.app)), self._hear, Cancel())

    @property
    def deployment(self) -> Object:
        return self.fake.find(kinds.DEPLOYMENTS, self.app, self.settings.space(self.app))

    @property
    def ready(self) -> int:
        """So many pods serve."""
        return sum(each.health == "healthy" for each in self.service.instances())

    @contextmanager
    def meanwhile(self, act: Callable[[], None], *, after: str) -> Iterator[Events]:
        """Events to deploy with: at the first progress that says `after`, something happens."""
        happened = threading.Event()

        def hear(event: Event) -> None:
            if after in str(event) and not happened.is_set():
                happened.set()
                act()

        yield hear
        assert happened.is_set(), f"nobody said {after}"

    def _hear(self, event: Event) -> None:
        if isinstance(event, Noted):
            self.notes.append(event.text)
        ignore(event)
