"""`mldeploy rehearse`."""

# ruff: noqa: PLC0415 - `--help` must not load the simulators

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mldeploy.cli.run import CommandRun
from mldeploy.ui.documents import Document
from mldeploy.ui.page import Page, Style

if TYPE_CHECKING:
    from mldeploy.rehearsal.record import RehearsalRecord
    from mldeploy.rehearsal.standins import StandIn


class RehearseAction(StrEnum):
    """Actions on a simulator."""

    UP = "up"
    DOWN = "down"
    STATUS = "status"


@dataclass(frozen=True)
class SimulatedResourceDocument:
    """One resource in a simulator."""

    kind: Annotated[str, "kind of resource: `ecs:cluster`"]
    name: Annotated[str, "name of the resource"]


@dataclass(frozen=True)
class SimulatorDocument:
    """One simulator."""

    name: Annotated[str, "name on the command line: `aws`"]
    cloud: Annotated[str, "name of the cloud: `AWS`"]
    state: Annotated[str, "`up` or `down`"]
    url: Annotated[str | None, "its URL; null while it is down"]
    region: Annotated[str | None, "simulated region; null while it is down"]
    registry: Annotated[str | None, "HOST:PORT of its registry; null while it is down"]
    contents: Annotated[tuple[SimulatedResourceDocument, ...], "resources in it"]


@dataclass(frozen=True)
class RehearseDocument(Document):
    """`rehearse`."""

    clouds: Annotated[tuple[SimulatorDocument, ...], "all simulators, or the one that was named"]


def rehearse(
    run: CommandRun,
    action: Annotated[
        RehearseAction,
        typer.Argument(metavar="ACTION", help="up, down or status: start, remove or show simulators."),
    ],
    cloud: Annotated[
        str | None,
        typer.Argument(
            metavar="[CLOUD]",
            help="aws, azure, dockerhub, gcp or kubernetes. Default: all.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Manage local cloud simulators, used by `--rehearse`.

    They provide registries, run deployed apps as containers on the Docker Engine, and reject what the cloud would
    reject. `--rehearse` starts the simulator that it needs. `down` removes their containers, images, processes and
    files.

    Examples:
        mldeploy rehearse up aws
        mldeploy deploy --target fargate --rehearse
        mldeploy rehearse status
        mldeploy rehearse down
    """
    from mldeploy.cli.stand_ins import find_stand_in, list_stand_ins
    from mldeploy.config.paths import state_folder

    state = state_folder()
    simulators = [find_stand_in(cloud)] if cloud else list_stand_ins()
    if action is RehearseAction.UP:
        _start(simulators, state, named=cloud is not None)
    elif action is RehearseAction.DOWN:
        for simulator in simulators:
            simulator.down(state)
    document = RehearseDocument(clouds=tuple(_simulator_document(each, each.running(state)) for each in simulators))
    run.output.result(document, lambda page: _print_simulators(document, page))


def _start(simulators: Sequence[StandIn], state: Path, *, named: bool) -> None:
    """Start all installed simulators. If none is installed, the first one raises and names the package to install."""
    installed = [each for each in simulators if each.is_installed]
    for simulator in simulators if named else installed or simulators[:1]:
        simulator.up(state)


def _simulator_document(simulator: StandIn, record: RehearsalRecord | None) -> SimulatorDocument:
    from mldeploy.rehearsal.client import Rehearsal

    contents = Rehearsal(record).contents() if record else ()
    return SimulatorDocument(
        name=simulator.name,
        cloud=simulator.cloud,
        state="up" if record else "down",
        url=record.url if record else None,
        region=record.region if record else None,
        registry=record.registry if record else None,
        contents=tuple(SimulatedResourceDocument(kind=each.kind, name=each.name) for each in contents),
    )


def _print_simulators(document: RehearseDocument, page: Page) -> None:
    running = [simulator for simulator in document.clouds if simulator.url is not None]
    if not running:
        page.line("No simulators are running. Run `mldeploy rehearse up`, or any command with --rehearse.")
    for number, simulator in enumerate(running):
        if number:
            page.line()
        page.line((simulator.cloud, Style.STRONG), " simulator running at ", (simulator.url or "", Style.LINK))
        if simulator.contents:
            page.table(("KIND", "NAME"), [(each.kind, each.name) for each in simulator.contents])
        else:
            page.line("It is empty. Run `mldeploy deploy -t TARGET --rehearse`.")
