"""The provider interface: how a target connects, what its last step is, and how what runs there is operated."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from mldeploy.config.endpoints import Endpoints
from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Resource, Step
from mldeploy.image.registry.access import RegistryAccess
from mldeploy.image.types import Image

CloudT = TypeVar("CloudT")
SettingsT_contra = TypeVar("SettingsT_contra", bound=TargetSettings, contravariant=True)


@dataclass(frozen=True)
class Address:
    """Where a deployment answers, and with which image. `remarks`: what the user should know of how it got there.

    gap_seconds: how long the URL was silent while a new version took the place of the old one, as measured by asking
    it; None if nothing took anything's place there.
    """

    url: str
    image: Image
    remarks: tuple[str, ...] = ()
    gap_seconds: float | None = None


@dataclass(frozen=True)
class Instance:
    """One running (or stopped) copy of the app: a container, a task, a pod.

    state: the platform's own word ("running", "exited"). health: "healthy", "unhealthy", "starting"; "" where nothing
    is known of it, and for one on its way out.
    started: ISO 8601, UTC. memory: bytes in use, 0 if unknown.
    """

    name: str
    image: str
    state: str
    health: str
    url: str
    started: str
    restarts: int = 0
    memory: int = 0


@dataclass(frozen=True)
class Release:
    """One version of the app that was brought to the target. revision: the name that `rollback` takes.

    image: its reference. created: ISO 8601, UTC. state: "serving", "failed" or "old". url: where it answers, "" if it
    does not.
    """

    revision: str
    image: str
    created: str
    state: str
    url: str = ""


@dataclass(frozen=True)
class Login:
    """Credentials that the platform has accepted. user: by the platform's own name. place: account, region."""

    user: str
    place: tuple[str, ...]
    registry: RegistryAccess


class Service(Protocol):
    """What runs of one app on one target. Every method asks the platform anew; none needs the journal."""

    def instances(self) -> tuple[Instance, ...]:
        """Every copy, the one that answers first."""

    def url(self) -> str | None:
        """Where it answers now, or None while nothing runs."""

    def logs(self, *, follow: bool, tail: int) -> Iterator[str]:
        """Log lines without their newline, oldest first; the last `tail` of them (0: all). `follow` waits for more."""

    def stop(self) -> bool:
        """Stop without removing; True if something was running. `deploy` starts it again."""

    def releases(self) -> tuple[Release, ...]:
        """What was deployed so far, the newest first."""

    def rollback(self, revision: str | None, monitor: Monitor) -> Address:
        """Bring an earlier release back, the last one that served if none is named; return once it answers.

        Raises AbsentError if there is no such release, WrongTargetError if the target keeps none.
        """

    def scale(self, count: int, monitor: Monitor) -> None:
        """Run so many copies, at least one, and return once they serve. Raises WrongTargetError if it runs only one."""


class Provider(Protocol[CloudT, SettingsT_contra]):
    """One target. Third parties add theirs through the entry point group `mldeploy.providers`.

    A provider with checks of its own for `mldeploy doctor` is also a `mldeploy.providers.checks.Diagnosable`.
    """

    @property
    def name(self) -> str:
        """What stands after `--target`."""

    @property
    def settings(self) -> type[TargetSettings]:
        """Its `[target.NAME]` table."""

    @property
    def kinds(self) -> Mapping[str, type[Step[CloudT, object]]]:
        """Every step class that this target has ever recorded, by kind: for undo from a journal."""

    def connect(self, project: Project, settings: SettingsT_contra, endpoints: Endpoints) -> CloudT:
        """All clients, made before the walk starts. Raises MldeployError if there is no way to talk to the platform.

        Nothing else may depend on `endpoints`: what works on a stand-in works on the platform.
        """

    def place(self, cloud: CloudT) -> tuple[str, ...]:
        """What separates two deployments of one app to this target: account, region. Names the journal."""

    def login(self, cloud: CloudT) -> Login:
        """Prove the credentials for the target's registry. Raises MldeployError, also if it has no registry."""

    def push(self, project: Project, settings: SettingsT_contra) -> Step[CloudT, Image] | None:
        """The step at which `push` ends; None if the target has no registry. Pure, as `goal` is."""

    def goal(self, project: Project, settings: SettingsT_contra) -> Step[CloudT, Address] | None:
        """The last step; None if the target is a registry, where no app runs. Pure: building the graph reads nothing.

        A target has this, or `push`, or both.
        """

    def inventory(self, cloud: CloudT, project: Project) -> Collection[Resource]:
        """What the platform itself says is this app's on this target, by tag or label. Raises on any doubt."""

    def service(self, cloud: CloudT, project: Project, settings: SettingsT_contra) -> Service:
        """What runs."""
