"""An app on a stage: the verbs as the command line walks them, each time with clients of its own."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from mldeploy.config.endpoints import Endpoints
from mldeploy.config.secret import Secret
from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings
from mldeploy.core import verbs
from mldeploy.core.events import ignore
from mldeploy.core.graph import steps_of
from mldeploy.core.journal import Journal, Scope, Session
from mldeploy.core.monitor import Cancel, Monitor
from mldeploy.core.step import Key, Resource, Step
from mldeploy.providers.base import Service
from mldeploy.providers.capabilities import Registry, Runtime
from mldeploy.providers.registry import AnyProvider
from mldeploy.providers.secret_store import HasSecretStore, SecretStore, StoredSecret, remove_secret, store_secret
from mldeploy.providers.traffic import Candidate, CanSplitTraffic, Traffic


@dataclass(frozen=True)
class DeploymentUnderTest:
    """One deployment by the provider under test. Can be pickled. state: the folder of the journals."""

    provider: AnyProvider
    settings: TargetSettings
    endpoints: Endpoints
    project: Project
    state: Path

    @property
    def last(self) -> Step[Any, object]:
        """The target's last step."""
        if isinstance(self.provider, Runtime):
            return self.provider.goal(self.project, self.settings)
        return self._registry.push(self.project, self.settings)

    @property
    def journals(self) -> list[Path]:
        """The files in the state folder."""
        return [path for path in self.state.rglob("*") if path.is_file()] if self.state.exists() else []

    @property
    def service(self) -> Service:
        """The running app. Raises TypeError for a registry."""
        if not isinstance(self.provider, Runtime):
            raise TypeError(f"{self.provider.name} is a registry: no app runs there")
        return self.provider.service(self._connect(), self.project, self.settings)

    @property
    def monitor(self) -> Monitor:
        """A monitor without output."""
        return Monitor(Resource("service", Key(self.project.app.name)), ignore, Cancel())

    def deploy(self) -> verbs.Deployed[object]:
        """Run `mldeploy deploy`, or `push` for a registry."""
        cloud = self._connect()
        with self._journal(cloud) as journal:
            return verbs.deploy(self.last, Session(cloud, journal, Cancel(), ignore), sweep=self.provider.kinds)

    def place_candidate(self) -> Candidate:
        """Start the version in the folder beside the serving one, as `mldeploy deploy --canary` does first.

        Raises as `verbs.deploy` does.
        """
        cloud = self._connect()
        step: Step[Any, Candidate] = self._splitter.candidate(self.project, self.settings)
        with self._journal(cloud) as journal:
            return verbs.deploy(step, Session(cloud, journal, Cancel(), ignore)).out

    @property
    def traffic(self) -> Traffic:
        """The requests of the running app."""
        return self._splitter.traffic(self._connect(), self.project, self.settings)

    def plan(self) -> verbs.Plan:
        """Run `mldeploy plan`."""
        return verbs.plan(self.last, self._connect(), Cancel(), sweep=self.provider.kinds)

    def destroy(self) -> verbs.Destroyed:
        """Run `mldeploy destroy`."""
        cloud = self._connect()
        named = [step.resource for step in steps_of(self.last)]
        with self._journal(cloud) as journal:
            return verbs.destroy(
                self.provider.kinds,
                Session(cloud, journal, Cancel(), ignore),
                named=named,
                inventory=lambda: self.provider.inventory(cloud, self.project),
            )

    @property
    def secrets(self) -> SecretStore:
        """The app's secrets in the target's store. Raises TypeError for a target without one."""
        if not isinstance(self.provider, HasSecretStore):
            raise TypeError(f"{self.provider.name} has no secret store")
        return self.provider.secrets(self._connect(), self.project, self.settings)

    def set_secret(self, name: str, value: str) -> StoredSecret:
        """Run `mldeploy secrets set`."""
        cloud = self._connect()
        with self._journal(cloud) as journal:
            session = Session(cloud, journal, Cancel(), ignore)
            return store_secret(self.secrets, session, name, Secret(value), self.monitor)

    def unset_secret(self, name: str) -> bool:
        """Run `mldeploy secrets unset`."""
        cloud = self._connect()
        with self._journal(cloud) as journal:
            return remove_secret(self.secrets, Session(cloud, journal, Cancel(), ignore), name, self.monitor)

    def start(self, act: Callable[[DeploymentUnderTest], object]) -> BaseProcess:
        """Run `act`, a module-level function, in a new process that may be killed."""
        # A fork would copy held locks of other threads; a spawned process would import the SDK each time.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__, type(self.provider).__module__])
        process = context.Process(target=_act, args=(act, self), daemon=True)
        process.start()
        return process

    @property
    def _registry(self) -> Registry[Any, Any]:
        if not isinstance(self.provider, Registry):
            raise TypeError(f"{self.provider.name} is neither a Registry nor a Runtime (providers.capabilities)")
        return self.provider

    @property
    def _splitter(self) -> CanSplitTraffic[Any, Any]:
        if not isinstance(self.provider, CanSplitTraffic):
            raise TypeError(f"{self.provider.name} does not split traffic (providers.traffic)")
        return self.provider

    def _connect(self) -> Any:
        return self.provider.connect(self.project, self.settings, self.endpoints)

    def _journal(self, cloud: Any) -> Journal:
        place = self.provider.place(cloud)
        return Journal(self.state, Scope(self.project.app.name, self.provider.name, place), "conformance")


def _act(act: Callable[[DeploymentUnderTest], object], scene: DeploymentUnderTest) -> None:
    """Discard stderr: the failures here are intended."""
    sys.stderr = None
    act(scene)
