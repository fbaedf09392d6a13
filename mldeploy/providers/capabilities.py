"""What a provider may offer beside connecting. Each command of the CLI needs one of these protocols.

A provider implements the protocols of what its platform can do by having their methods. A command whose protocol is
missing ends with WrongTargetError ("target ecr: does not run apps").
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Generic, Protocol, TypeVar, runtime_checkable

from mldeploy.config.endpoints import Endpoints
from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings
from mldeploy.core.errors import MldeployError
from mldeploy.core.findings import Finding, Fix, Level, error, ok, warning
from mldeploy.core.step import Step
from mldeploy.image.types import Image
from mldeploy.providers.base import Address, Login, Service

__all__ = [
    "HOURS_A_MONTH",
    "CanExec",
    "CanForward",
    "CanPrecheck",
    "CostItem",
    "Diagnosable",
    "DoctorCheck",
    "Estimate",
    "Finding",
    "Fix",
    "HasCosts",
    "HasManifests",
    "HasPolicy",
    "HasPolicySet",
    "HourlyPrice",
    "Level",
    "ListedApp",
    "ListsApps",
    "Manifests",
    "PolicyKind",
    "PolicyPart",
    "PolicySet",
    "RefusesOperations",
    "Registry",
    "RendersOffline",
    "Runtime",
    "Streams",
    "UsageCost",
    "error",
    "ok",
    "omit_hidden",
    "warning",
]

CloudT_contra = TypeVar("CloudT_contra", contravariant=True)
SettingsT_contra = TypeVar("SettingsT_contra", bound=TargetSettings, contravariant=True)

HOURS_A_MONTH = 730
"""365 days / 12."""
CHECK_SECONDS = 5.0


# push, login; deploy, and operating what runs ------------------------------------------------------------------------


@runtime_checkable
class Registry(Protocol[CloudT_contra, SettingsT_contra]):
    """A provider whose platform keeps images: `mldeploy login`, `mldeploy push`."""

    def login(self, cloud: CloudT_contra) -> Login:
        """Prove the credentials for the target's registry. Raises MldeployError. May be repeated."""

    def push(self, project: Project, settings: SettingsT_contra) -> Step[CloudT_contra, Image]:
        """The step at which `push` ends. Pure: no file, no network."""


@runtime_checkable
class Runtime(Protocol[CloudT_contra, SettingsT_contra]):
    """A provider whose platform runs apps: `mldeploy deploy`, `status`, `ps`, `logs`, `stop`, `rollback`, `scale`."""

    def goal(self, project: Project, settings: SettingsT_contra) -> Step[CloudT_contra, Address]:
        """The last step, which ends in the app's URL. Pure: building the graph reads nothing."""

    def service(self, cloud: CloudT_contra, project: Project, settings: SettingsT_contra) -> Service:
        """The running app."""


@runtime_checkable
class CanPrecheck(Protocol[CloudT_contra, SettingsT_contra]):
    """A `Runtime` that can tell before the build that a deployment would fail: its port is taken."""

    def precheck(self, cloud: CloudT_contra, project: Project, settings: SettingsT_contra) -> None:
        """Look, change nothing, within a second or two. Raises MldeployError, such as PortTakenError."""


@runtime_checkable
class CanForward(Protocol):
    """A `Service` whose URL may not be reachable from this machine: `mldeploy predict` opens a way to it first."""

    def reach(self) -> AbstractContextManager[str]:
        """A URL that leads to the app from this machine while the context is open. Raises AbsentError if none can."""


# refusals -------------------------------------------------------------------------------------------------------------


@runtime_checkable
class RefusesOperations(Protocol):
    """A `Service` that cannot do everything: `rollback` or `scale` is refused before anything is shown or locked."""

    def refusals(self) -> Mapping[str, MldeployError]:
        """The error of each method that only raises, by the method's name."""


# apps -----------------------------------------------------------------------------------------------------------------

SettingsT = TypeVar("SettingsT", bound=TargetSettings)


@dataclass(frozen=True)
class ListedApp(Generic[SettingsT]):
    """An app that exists on the target. settings: those with which its `Service` is found, and its costs estimated.

    is_sized: the settings say how large it is, so that its costs follow from them alone.
    """

    name: str
    settings: SettingsT
    is_sized: bool = False


@runtime_checkable
class ListsApps(Protocol[CloudT_contra, SettingsT]):
    """A `Runtime` that can tell which apps mldeploy has deployed to it: `mldeploy apps`."""

    def apps(self, cloud: CloudT_contra, settings: SettingsT) -> Sequence[ListedApp[SettingsT]]:
        """Every app, by the labels of its running part, in any order. Reads only. Raises MldeployError."""


# exec -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Streams:
    """The standard streams of a command. stdout, stderr: take bytes as they come.

    stdin: returns at most so many bytes, none at its end; None where there is nothing to read.
    """

    stdout: Callable[[bytes], None]
    stderr: Callable[[bytes], None]
    stdin: Callable[[int], bytes] | None = None


@runtime_checkable
class CanExec(Protocol):
    """A `Service` that can run commands in a copy of the app: `mldeploy exec`."""

    def execute(self, command: Sequence[str], instance: str, streams: Streams) -> int:
        """Run a command in a copy of the app and return its exit status; blocks until it ends.

        instance: the copy's name, "" for any that serves. Raises AbsentError if there is none.
        """


# doctor ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DoctorCheck:
    """Examines one subject and reports findings.

    look: reads only; may block and may raise: an exception becomes an error line. It runs in a thread of its own.
    seconds: the time limit, after which the check itself is reported as not finished.
    """

    subject: str
    look: Callable[[], Iterable[Finding]]
    seconds: float = CHECK_SECONDS


@runtime_checkable
class Diagnosable(Protocol[SettingsT_contra]):
    """A provider with checks of its own for `mldeploy doctor`: credentials, permissions, quotas, name conflicts."""

    def checks(self, project: Project, settings: SettingsT_contra) -> Sequence[DoctorCheck]:
        """Pure: requests are made when the checks run."""


# policy, plan, manifests ----------------------------------------------------------------------------------------------


@runtime_checkable
class HasPolicy(Protocol[CloudT_contra]):
    """A provider whose users need permissions: `mldeploy policy`."""

    def policy(self, cloud: CloudT_contra) -> Mapping[str, object]:
        """The least that every command needs, as a document in the platform's own policy language. Makes no call."""


class PolicyKind(StrEnum):
    """What an administrator does with a document."""

    POLICY = "policy"
    """Attached to whoever runs mldeploy."""
    TRUST = "trust"
    """Says who may take a role that the administrator creates."""
    PERMISSIONS = "permissions"
    """Says what that role may do."""
    BOUNDARY = "boundary"
    """The most that the roles which mldeploy creates may do."""


@dataclass(frozen=True)
class PolicyPart:
    """One document. The texts are those of the manual."""

    name: Annotated[str, "name of the document"]
    kind: Annotated[
        PolicyKind, "`policy`: attach it to who runs mldeploy; `trust`, `permissions`: of a role; `boundary`"
    ]
    purpose: Annotated[str, "what it is for"]
    document: Annotated[object, "the document in the platform's own language"]


@dataclass(frozen=True)
class PolicySet:
    """The documents of a target. commands: lines of a shell, which read each document from NAME.json.

    whole: all documents of the kind `policy` in one, for where the platform takes a longer one.
    """

    parts: tuple[PolicyPart, ...]
    whole: Mapping[str, object]
    commands: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@runtime_checkable
class HasPolicySet(HasPolicy[CloudT_contra], Protocol[CloudT_contra, SettingsT_contra]):
    """A provider whose permissions are several documents."""

    @property
    def policy_features(self) -> Sequence[str]:
        """What `mldeploy policy --with` accepts."""

    def policy_set(
        self, cloud: CloudT_contra, project: Project, settings: SettingsT_contra, features: Collection[str]
    ) -> PolicySet:
        """What the settings need, as if they had the features, too. Makes no call."""


@dataclass(frozen=True)
class HourlyPrice:
    """US dollars an hour. source: the page that states it. date: when it was read there, ISO 8601."""

    hourly: float
    source: str
    date: str


@dataclass(frozen=True)
class CostItem:
    """One billed item. The texts are those of the manual."""

    what: Annotated[str, "billed item"]
    monthly: Annotated[float | None, "US dollars per month; null if unknown"]
    how: Annotated[str, "calculation, or why the price is unknown"]
    source: Annotated[str, "source of the price; empty if unknown"] = ""
    date: Annotated[str, "date of the price; ISO 8601"] = ""


@dataclass(frozen=True)
class UsageCost:
    """The cost of some requests, where requests are billed. The texts are those of the manual."""

    what: Annotated[str, "amount: `1 million requests`, `a month at 1 request/s`"]
    dollars: Annotated[float, "US dollars, including what `items` counts"]
    how: Annotated[str, "calculation"]
    source: Annotated[str, "source of the price"]
    date: Annotated[str, "date of the price; ISO 8601"]


@dataclass(frozen=True)
class Estimate:
    """The cost of a whole month, without taxes, discounts and free tiers. region: where the prices hold.

    usage: what requests cost, where they are billed; `items` then holds a month without any.
    """

    region: str
    items: tuple[CostItem, ...]
    usage: tuple[UsageCost, ...] = ()

    @property
    def known(self) -> float:
        """The sum of the known items, in US dollars: a lower bound."""
        return sum(item.monthly or 0.0 for item in self.items)


@runtime_checkable
class HasCosts(Protocol[CloudT_contra, SettingsT_contra]):
    """A provider that can estimate the cost of its target: `mldeploy plan`."""

    def costs(self, cloud: CloudT_contra, project: Project, settings: SettingsT_contra) -> Estimate:
        """Makes no call: the prices are in the package."""


@dataclass(frozen=True)
class Manifests:
    """documents: in the order in which they are to be applied. left_out: those with secrets, by kind and name."""

    documents: tuple[Mapping[str, object], ...]
    left_out: tuple[str, ...] = ()


@runtime_checkable
class HasManifests(Protocol[CloudT_contra, SettingsT_contra]):
    """A provider that can print what it would apply: `mldeploy manifests`."""

    def manifests(
        self, cloud: CloudT_contra, project: Project, settings: SettingsT_contra, image: str, *, secrets: bool
    ) -> Manifests:
        """Every manifest of a deployment of the image (by digest). secrets: include those that hold a value.

        Changes nothing; requests at most the registry's credentials.
        """


@runtime_checkable
class RendersOffline(Protocol[SettingsT_contra]):
    """A provider whose manifests of a given image follow from the configuration: `mldeploy manifests --image`."""

    def offline_manifests(
        self, project: Project, settings: SettingsT_contra, image: str, endpoints: Endpoints, *, secrets: bool
    ) -> Manifests:
        """As `HasManifests.manifests`, without a connection: no cluster, no cloud account, no Docker Engine."""


def omit_hidden(documents: Sequence[Mapping[str, object]], hidden: Sequence[Mapping[str, object]]) -> Manifests:
    """The documents without those in `hidden`, which are named by kind and name instead."""
    names = tuple(f"{each['kind']} {_manifest_name(each)}" for each in hidden)
    return Manifests(tuple(each for each in documents if each not in hidden), names)


def _manifest_name(document: Mapping[str, object]) -> str:
    metadata = document.get("metadata")
    return str(metadata.get("name", "")) if isinstance(metadata, Mapping) else ""
