"""The simulators that the targets declare, for `--rehearse` and `mldeploy rehearse`."""

from __future__ import annotations

from pathlib import Path

from mldeploy.providers import registry
from mldeploy.providers.declaration import TargetDeclaration
from mldeploy.providers.errors import PluginError
from mldeploy.rehearsal.standins import NoStandInError, RunningStandIn, StandIn


def list_stand_ins() -> tuple[StandIn, ...]:
    """The simulators of all targets, by name. Those of packages that cannot be used are left out."""
    stand_ins: dict[str, StandIn] = {}
    for each in registry.usable_declarations():
        try:
            stand_in = _load(each)
        except PluginError:
            continue
        if stand_in is not None:
            stand_ins.setdefault(stand_in.name, stand_in)
    return tuple(stand_ins[name] for name in sorted(stand_ins))


def find_stand_in(name: str) -> StandIn:
    """Raises NoStandInError if no target declares a simulator of this name."""
    known = list_stand_ins()
    for each in known:
        if each.name == name:
            return each
    todo = f"Known simulators: {', '.join(each.name for each in known)}."
    raise NoStandInError("rehearse", f"unknown simulator {name!r}", todo)


def start_for_target(target: str, state: Path) -> RunningStandIn:
    """Start the simulator of a target if it does not run. May be repeated.

    Raises NoStandInError, PluginError, SimulatorNotInstalledError, or RehearsalError if it does not start.
    """
    stand_in = _load(registry.declaration(target))
    if stand_in is None:
        todo = f"Targets with a simulator: {', '.join(rehearsed_targets())}."
        raise NoStandInError("--rehearse", f"there is no simulator for the target {target}", todo)
    return stand_in.running_on(state)


def rehearsed_targets() -> tuple[str, ...]:
    """The targets that declare a simulator."""
    return tuple(each.name for each in registry.usable_declarations() if each.stand_in)


def _load(declaration: TargetDeclaration) -> StandIn | None:
    """The simulator of a target, None if it declares none. Raises PluginError."""
    if not declaration.stand_in:
        return None
    declared = registry.load_declared(declaration.name, declaration.stand_in)
    if not isinstance(declared, StandIn):
        raise registry.unusable(declaration.name, f"{declaration.stand_in} is not a StandIn")
    return declared
