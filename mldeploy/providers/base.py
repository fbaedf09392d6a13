"""The provider interface: how a target connects, what its last step is, and how what runs there is operated."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Protocol, TypeVar

from mldeploy.config.endpoints import Endpoints
from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Resource, Step
from mldeploy.image.registry.access import RegistryAccess
from mldeploy.image.types import Image

CloudT = TypeVar("CloudT")
SettingsT_contra = TypeVar("SettingsT_contra", bound=TargetSettings, contravariant=True)
SILENT = "does not answer → answers"
"""The drift of a last step whose URL exists, but does not answer."""


@dataclass(frozen=True)
class Address:
    """Where a deployment answers, and with which image. `remarks`: what the user should know of how it got there.

    gap_seconds: time without an answer while a new version replaced the old one; None if none was replaced.
    """

    url: str
    image: Image
    remarks: tuple[str, ...] = ()
    gap_seconds: float | None = None


@dataclass(frozen=True)
class Instance:
    """One running or stopped instance of the app: a container, a task, a pod. The texts are those of the manual."""

    name: Annotated[str, "name on the platform"]
    image: Annotated[str, "image that it runs"]
    state: Annotated[str, "state on the platform: `running`, `exited`"]
    health: Annotated[str, "`healthy`, `unhealthy`, `starting`, or empty if unknown"]
    url: Annotated[str, "URL; empty if it has none"]
    started: Annotated[str, "ISO 8601, UTC"]
    restarts: Annotated[int, "number of restarts by the platform"] = 0
    memory: Annotated[int, "bytes in use, 0 if unknown"] = 0


@dataclass(frozen=True)
class Release:
    """One deployed version of the app. The texts are those of the manual."""

    revision: Annotated[str, "name of the release, for `rollback`"]
    image: Annotated[str, "image that it runs"]
    created: Annotated[str, "time of the deployment; ISO 8601, UTC"]
    state: Annotated[str, "`serving`, `candidate` (a canary), `failed` or `old`"]
    url: Annotated[str, "URL; empty if it does not serve"] = ""
    commit: Annotated[str, "git commit of the deployed folder; empty if unknown"] = ""
    dirty: Annotated[bool, "tracked files had changed since that commit"] = False
    branch: Annotated[str, "git branch; empty if unknown"] = ""
    deployed_by: Annotated[str, "who deployed it: `user@machine`, or the user of the CI system; empty if unknown"] = ""


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
    """One target. Third parties add theirs through the entry point group `mldeploy.providers` (docs/providers.md).

    What it can do is in `mldeploy.providers.capabilities`: it is a `Registry`, a `Runtime` or both, and implements
    those of the optional protocols that its platform has something for.
    """

    @property
    def name(self) -> str:
        """What stands after `--target`."""

    @property
    def settings(self) -> type[TargetSettings]:
        """Its `[target.NAME]` table."""

    @property
    def kinds(self) -> Mapping[str, type[Step[CloudT, object]]]:
        """Every step class that this target has ever recorded, by kind, for undo from a journal.

        `mldeploy.core.graph.derive_kinds` returns those of a graph, from its last step.
        """

    def connect(self, project: Project, settings: SettingsT_contra, endpoints: Endpoints) -> CloudT:
        """All clients, made before the walk starts. Raises MldeployError if there is no way to talk to the platform.

        Nothing else may depend on `endpoints`: what works on a stand-in works on the platform.
        """

    def place(self, cloud: CloudT) -> tuple[str, ...]:
        """What separates two deployments of one app to this target: account, region. Names the journal."""

    def inventory(self, cloud: CloudT, project: Project) -> Collection[Resource]:
        """What the platform itself says is this app's on this target, by tag or label. Raises on any doubt."""
