"""A step: one resource that must exist, and its observed state before a change."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, ClassVar, Generic, Never, TypeAlias, TypeVar

if TYPE_CHECKING:
    from mldeploy.core.monitor import Monitor

CloudT_contra = TypeVar("CloudT_contra", contravariant=True)
OutT_co = TypeVar("OutT_co", covariant=True)
AnyCloudT = TypeVar("AnyCloudT")
T = TypeVar("T")


@dataclass(frozen=True, order=True)
class Key:
    """What a thing is called before it exists: its name, inside scopes (the outermost first).

    `Key("insurance", ("eu-west-1", "my-cluster"))`. It is written to the journal, so it never holds a secret.
    """

    name: str
    scope: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "/".join((*self.scope, self.name))


@dataclass(frozen=True, order=True)
class Resource:
    """A resource that a step creates or has created; its name identifies it without the step."""

    kind: str
    key: Key

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


@dataclass(frozen=True)
class Seen(Generic[OutT_co]):
    """The result of a probe.

    drift: differences that an update can correct, one readable line each ("cpu 256 → 512"). `apply` corrects them.
    replace: differences that no update can correct. The resource is replaced only if the user allows it.
    ours: it bears this deployment's tag. What does not is never changed and never removed.
    """

    out: OutT_co
    drift: tuple[str, ...] = ()
    replace: tuple[str, ...] = ()
    ours: bool = True


class NotYetError(LookupError):
    """A step read the output of a need that does not exist yet. Only read-only walks (plan, status) raise it."""


class Step(ABC, Generic[CloudT_contra, OutT_co]):
    """One thing that must exist. Its fields that are steps are what it needs.

    Subclasses are `@dataclass(frozen=True, eq=False)`. A field that holds a need is annotated with concrete step
    classes (or a union, or a tuple of them): `destroy` reads the order of removal from these annotations.
    """

    kind: ClassVar[str]
    """Stable name: an old journal must still find its class."""
    title: ClassVar[str]
    """What the user reads: "Create ECR repository"."""
    stays: ClassVar[bool] = False
    """`undo` never removes it, since others may stand on it: a removal does not announce it."""
    journaled: ClassVar[bool] = True
    """False: it makes nothing on the target, so that the target's journal does not list it."""
    swept: ClassVar[bool] = True
    """False: another command than `deploy` makes it. A deployment whose graph does not have it leaves it alone."""

    @abstractmethod
    def key(self) -> Key:
        """The thing's name. Pure: no file, no network. The same in every run of the same app."""

    @abstractmethod
    def probe(self, cloud: CloudT_contra, outs: Outputs) -> Seen[OutT_co] | None:
        """Look, change nothing. None means surely absent; a doubt (no permission, a time-out) raises."""

    @abstractmethod
    def apply(self, cloud: CloudT_contra, outs: Outputs, seen: Seen[OutT_co] | None, monitor: Monitor) -> OutT_co:
        """Create the thing, tagged in the same call, or mend its drift. Return once it is usable. Safe to repeat."""

    @staticmethod
    @abstractmethod
    def undo(cloud: CloudT_contra, key: Key, monitor: Monitor) -> bool:
        """Remove the thing if it is ours, and return once it is gone. Safe to repeat.

        True: something was removed. False: there was nothing of ours. Anything else raises.
        """

    @property
    def resource(self) -> Resource:
        return Resource(self.kind, self.key())


Kinds: TypeAlias = Mapping[str, type[Step[AnyCloudT, object]]]
"""The step classes that can remove what a journal names, by their kind."""


def needs(step: Step[AnyCloudT, T]) -> Iterator[Step[AnyCloudT, object]]:
    """The steps that a step's fields hold, in the order of the fields."""
    for field in fields(step):  # type: ignore[arg-type]  # every concrete step is a dataclass
        value = getattr(step, field.name)
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, Step):
                yield item


Gates: TypeAlias = Mapping[Step[AnyCloudT, object], Step[AnyCloudT, object]]
"""What must have succeeded before a step is probed or applied, although the step does not need its output: a check."""


class Outputs:
    """What the needs of one step have produced. `outs[need]` has the type that the need declares."""

    def __init__(self, step: Step[Never, object], made: Mapping[int, object]) -> None:
        """`made` holds what each step produced, by the step's identity; it may grow while this looks at it."""
        self._visible = frozenset(id(need) for need in needs(step))
        self._made = made

    def __getitem__(self, need: Step[Never, T]) -> T:
        """Raises NotYetError if the need does not exist yet, KeyError if the step does not declare it."""
        if id(need) not in self._visible:
            raise KeyError(f"{need.kind} is not a field of this step")
        if id(need) not in self._made:
            raise NotYetError(need.kind)
        return self._made[id(need)]  # type: ignore[return-value]  # stored by the walk under this very step

    def get(self, need: Step[Never, T]) -> T | None:
        """The need's output, or None while it does not exist: for a probe that can say something without it."""
        try:
            return self[need]
        except NotYetError:
            return None
