"""Which stand-in plays which target's cloud, and where on this machine it keeps what is its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from mldeploy.config.endpoints import Endpoints
from mldeploy.core.errors import ExitCode, MldeployError
from mldeploy.rehearsal import background
from mldeploy.rehearsal.errors import RehearsalError
from mldeploy.rehearsal.place import Place


class NoStandInError(MldeployError):
    """Nobody can play this target's cloud, or there is no such cloud."""

    code = ExitCode.USAGE


@dataclass(frozen=True)
class Player:
    """What plays a cloud. name: what `rehearse` calls it. cloud: its own name. targets: those that it plays for.

    needed: a package that it cannot do without; not everybody has installed it.
    """

    name: str
    cloud: str
    targets: tuple[str, ...]
    needed: str

    @property
    def program(self) -> str:
        """The module that is its process."""
        return f"mldeploy.rehearsal.{self.name}.server"

    @property
    def is_installed(self) -> bool:
        """It can play here."""
        return find_spec(self.needed) is not None

    def folder(self, state: Path) -> Path:
        """All that it writes to disk. It stands beside the apps' folders: no app's name holds a dot."""
        return state / f"rehearsal.{self.name}"

    def up(self, state: Path) -> Place:
        """Start it, unless it runs. Raises RehearsalError."""
        if not self.is_installed:
            what = f"the package {self.needed}, which plays {self.cloud}, is not installed"
            raise RehearsalError("rehearsal", what, "Install it: `pip install 'mldeploy[rehearsal]'`.")
        return background.ensure(self.folder(state), self.program)

    def down(self, state: Path) -> bool:
        """End it and remove all that it and its rehearsals have left. True if there was one."""
        return background.stop(self.folder(state))

    def running(self, state: Path) -> Place | None:
        """Where it is, if it runs."""
        place = Place.read(self.folder(state))
        return place if place is not None and place.is_running else None


PLAYERS: Sequence[Player] = (
    Player("aws", "AWS", ("ecr", "fargate"), "moto"),
    Player("azure", "Azure", ("acr", "webapp"), "trustme"),
    Player("dockerhub", "Docker Hub", ("dockerhub",), "trustme"),
    Player("gcp", "Google Cloud", ("gar", "gcr", "gke"), "trustme"),
    Player("kubernetes", "Kubernetes", ("kubernetes",), "kubernetes_validate"),
)


@dataclass(frozen=True)
class StandIn:
    """A cloud that is played on this machine. journals: what is rehearsed is written down there, and goes with it."""

    cloud: str
    url: str
    endpoints: Endpoints
    journals: Path


def targets() -> Iterator[str]:
    """Those that can be rehearsed."""
    for player in PLAYERS:
        yield from player.targets


def named(name: str) -> Player:
    """The player of that name. Raises NoStandInError with the names that there are."""
    for player in PLAYERS:
        if player.name == name:
            return player
    todo = f"Those that there are: {', '.join(each.name for each in PLAYERS)}."
    raise NoStandInError("rehearse", f"there is no stand-in called {name!r}", todo)


def for_target(target: str, state: Path) -> StandIn:
    """The stand-in for a target's cloud; it is started if need be.

    Raises NoStandInError, or RehearsalError if it cannot be started.
    """
    player = next((each for each in PLAYERS if target in each.targets), None)
    if player is None:
        todo = f"Targets that can be rehearsed: {', '.join(targets())}."
        raise NoStandInError("--rehearse", f"there is no stand-in for the target {target}", todo)
    place = player.up(state)
    return StandIn(player.cloud, place.url, place.endpoints, player.folder(state) / "journals")
