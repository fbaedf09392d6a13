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
from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings
from mldeploy.core import verbs
from mldeploy.core.events import ignore
from mldeploy.core.graph import steps_of
from mldeploy.core.journal import Journal, Scope
from mldeploy.core.monitor import Cancel, Monitor
from mldeploy.core.session import Session
from mldeploy.core.step import Key, Resource, Step
from mldeploy.providers.base import Service
from mldeploy.providers.registry import AnyProvider


@dataclass(frozen=True)
class Scene:
    """state: the folder where journals are. All of it can be sent to another process."""

    provider: AnyProvider
    settings: TargetSettings
    endpoints: Endpoints
    project: Project
    state: Path

    @property
    def last(self) -> Step[Any, object]:
        """The furthest step that the target has."""
        last = self.provider.goal(self.project, self.settings) or self.provider.push(self.project, self.settings)
        if last is None:
            raise LookupError("a provider names a goal, or a step at which a push ends")
        return last

    @property
    def journals(self) -> list[Path]:
        """What is left in the state folder."""
        return [path for path in self.state.rglob("*") if path.is_file()] if self.state.exists() else []

    @property
    def service(self) -> Service:
        """What runs, to be operated."""
        return self.provider.service(self._connect(), self.project, self.settings)

    @property
    def monitor(self) -> Monitor:
        """For an operation that nobody watches."""
        return Monitor(Resource("service", Key(self.project.app.name)), ignore, Cancel())

    def deploy(self) -> verbs.Deployed[object]:
        """`mldeploy deploy`, or `push` where nothing runs."""
        cloud = self._connect()
        with self._journal(cloud) as journal:
            return verbs.deploy(self.last, Session(cloud, journal, Cancel(), ignore), sweep=self.provider.kinds)

    def plan(self) -> verbs.Plan:
        """`mldeploy plan`."""
        return verbs.plan(self.last, self._connect(), Cancel(), sweep=self.provider.kinds)

    def destroy(self) -> verbs.Destroyed:
        """`mldeploy destroy`."""
        cloud = self._connect()
        named = [step.resource for step in steps_of(self.last)]
        with self._journal(cloud) as journal:
            return verbs.destroy(
                self.provider.kinds,
                Session(cloud, journal, Cancel(), ignore),
                named=named,
                inventory=lambda: self.provider.inventory(cloud, self.project),
            )

    def start(self, act: Callable[[Scene], object]) -> BaseProcess:
        """Begin `act` (a function of a module) in a process of its own, which may be killed."""
        # A fork of this process would take over half of its threads' locks; a fresh one would load the SDK each time.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__, type(self.provider).__module__])
        process = context.Process(target=_act, args=(act, self), daemon=True)
        process.start()
        return process

    def _connect(self) -> Any:
        return self.provider.connect(self.project, self.settings, self.endpoints)

    def _journal(self, cloud: Any) -> Journal:
        place = self.provider.place(cloud)
        return Journal(self.state, Scope(self.project.app.name, self.provider.name, place), "conformance")


def _act(act: Callable[[Scene], object], scene: Scene) -> None:
    """What goes wrong there is somebody's intention: it is not printed into the tests' output."""
    sys.stderr = None
    act(scene)
