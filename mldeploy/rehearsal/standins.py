"""Which stand-in plays which target's cloud, and where on this machine it keeps what is its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from mldeploy.config.endpoints import Endpoints
from mldeploy.config.secret import Secret
from mldeploy.core.errors import ExitCode, MldeployError
from mldeploy.rehearsal import background
from mldeploy.rehearsal.errors import RehearsalError
from mldeploy.rehearsal.place import Place

AWS = "AWS"
CLOUDS: Mapping[str, str] = {"ecr": AWS, "fargate": AWS}
"""The targets that can be rehearsed, and whose cloud is played for them."""
_PROGRAM = "mldeploy.rehearsal.aws.server"
_NEEDED = "moto"


class NoStandInError(MldeployError):
    """Nobody can play this target's cloud."""

    code = ExitCode.USAGE


@dataclass(frozen=True)
class StandIn:
    """A cloud that is played on this machine. journals: what is rehearsed is written down there, and goes with it."""

    cloud: str
    url: str
    endpoints: Endpoints
    journals: Path


def folder(state: Path) -> Path:
    """All that a rehearsal writes to disk. It stands beside the apps' folders: no app's name holds a dot."""
    return state / "rehearsal.aws"


def for_target(target: str, state: Path) -> StandIn:
    """The stand-in for a target's cloud; it is started if need be.

    Raises NoStandInError, or RehearsalError if it cannot be started.
    """
    if target not in CLOUDS:
        todo = f"Targets that can be rehearsed: {', '.join(CLOUDS)}."
        raise NoStandInError("--rehearse", f"there is no stand-in for the target {target}", todo)
    place = up(state)
    credentials = (("aws_access_key_id", Secret(place.key)), ("aws_secret_access_key", Secret(place.secret)))
    endpoints = Endpoints(place.url, credentials, place.region)
    return StandIn(CLOUDS[target], place.url, endpoints, folder(state) / "journals")


def up(state: Path) -> Place:
    """Start the stand-in, unless it runs. Raises RehearsalError."""
    if find_spec(_NEEDED) is None:
        todo = "Install it: `pip install 'mldeploy[rehearsal]'`."
        raise RehearsalError("rehearsal", f"the package {_NEEDED}, which plays AWS, is not installed", todo)
    return background.ensure(folder(state), _PROGRAM)


def down(state: Path) -> bool:
    """End the stand-in and remove all that it and its rehearsals have left. True if there was one."""
    return background.stop(folder(state))


def running(state: Path) -> Place | None:
    """Where it is, if it runs."""
    place = Place.read(folder(state))
    return place if place is not None and place.is_running else None
