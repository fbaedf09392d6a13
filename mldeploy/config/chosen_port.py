"""The port that somebody chose for a deployment, with `--port` or because the configured one was taken.

Later commands keep it, as long as the configuration names the same port as then. It is in a file of the user's state.
If that is lost, `status` shows the difference, and the next deployment goes back to the configured port.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from mldeploy.config.override import Overrides
from mldeploy.config.result_file import read_results, remove_results, result_file, write_results
from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings

FILE = "ports.json"
AnySettings = TypeVar("AnySettings", bound=TargetSettings)


@dataclass(frozen=True)
class ChosenPort:
    """port: 0 is any free one. configured: the port that the configuration named when it was chosen."""

    port: int
    configured: int


def configured_port(project: Project, settings: TargetSettings) -> int | None:
    """Return the port that the configuration names; None if the target has no such setting."""
    if "port" not in type(settings).model_fields:
        return None
    port = settings.model_dump(include={"port"})["port"]
    return project.app.port if port is None else int(port)


def apply_chosen_port(project: Project, target: str, settings: AnySettings, overrides: Overrides = ()) -> AnySettings:
    """Return the settings with the port that was chosen, unless this command is given one."""
    chosen = _read(project.app.name).get(target)
    is_given = given_port(target, overrides) is not None
    if chosen is None or is_given or chosen.configured != configured_port(project, settings):
        return settings
    return settings.model_copy(update={"port": chosen.port})


def given_port(target: str, overrides: Overrides) -> int | None:
    """Return the port that a command is given, if it is."""
    values = (each.value for each in overrides if each.key == f"target.{target}.port")
    return next((value for value in values if isinstance(value, int)), None)


def remember_port(project: Project, target: str, settings: TargetSettings, overrides: Overrides) -> None:
    """Keep the port of a deployment that succeeded, if it was chosen; drop one that the configuration has overtaken.

    settings: as configured, without the command's own port. Raises StateError.
    """
    ports, configured, given = (
        _read(project.app.name),
        configured_port(project, settings),
        given_port(target, overrides),
    )
    chosen = ports.get(target) if given is None or configured is None else ChosenPort(given, configured)
    others = {name: port for name, port in ports.items() if name != target}
    is_choice = chosen is not None and chosen.configured == configured and chosen.port != configured
    _write(project.app.name, ports, {**others, target: chosen} if chosen and is_choice else others)


def forget_port(app: str, target: str) -> None:
    """Drop the chosen port of a deployment that is removed. Raises StateError."""
    ports = _read(app)
    _write(app, ports, {name: port for name, port in ports.items() if name != target})


def _read(app: str) -> Mapping[str, ChosenPort]:
    """Return the chosen ports by target. What cannot be read counts as missing."""
    kept = read_results(result_file(app, FILE))
    ports: dict[str, ChosenPort] = {}
    for target, pair in kept.items() if isinstance(kept, dict) else ():
        with contextlib.suppress(TypeError, ValueError):
            port, configured = pair
            ports[str(target)] = ChosenPort(int(port), int(configured))
    return ports


def _write(app: str, before: Mapping[str, ChosenPort], ports: Mapping[str, ChosenPort]) -> None:
    file = result_file(app, FILE)
    if ports and ports != before:
        write_results(file, {target: [each.port, each.configured] for target, each in ports.items()})
    elif before and not ports:
        remove_results(file)
