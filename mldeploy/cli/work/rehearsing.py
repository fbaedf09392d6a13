"""`rehearse`: the stand-ins themselves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mldeploy.cli.options import Rehearsed
from mldeploy.cli.run import Run
from mldeploy.config.paths import state_folder
from mldeploy.rehearsal import standins
from mldeploy.rehearsal.place import Place
from mldeploy.rehearsal.rehearsal import Rehearsal
from mldeploy.ui.documents.rehearsal import CloudDocument, HeldDocument, RehearseDocument
from mldeploy.ui.views import rehearsal as views


def rehearse(run: Run, action: Rehearsed, cloud: str | None) -> None:
    """Start what plays a cloud, end it, or say what it holds; all of them if none is named."""
    state = state_folder()
    players = [standins.named(cloud)] if cloud else standins.PLAYERS
    if action is Rehearsed.UP:
        _up(players, state, named=cloud is not None)
    elif action is Rehearsed.DOWN:
        for player in players:
            player.down(state)
    document = RehearseDocument(tuple(_cloud(each, each.running(state)) for each in players))
    run.output.result(document, lambda page: views.rehearsal(document, page))


def _up(players: Sequence[standins.Player], state: Path, *, named: bool) -> None:
    """Of all, those are meant that are installed; if none is, the first says what to install."""
    installed = [each for each in players if each.is_installed]
    for player in players if named else installed or players[:1]:
        player.up(state)


def _cloud(player: standins.Player, place: Place | None) -> CloudDocument:
    if place is None:
        return CloudDocument(player.name, player.cloud, "down", None, None, None, ())
    held = tuple(HeldDocument(thing.kind, thing.name) for thing in Rehearsal(place).contents())
    return CloudDocument(player.name, player.cloud, "up", place.url, place.region, place.registry, held)
