"""`rehearse`: the stand-in itself."""

from __future__ import annotations

from mldeploy.cli.options import Rehearsed
from mldeploy.cli.run import Run
from mldeploy.config.paths import state_folder
from mldeploy.rehearsal import standins
from mldeploy.rehearsal.aws import Rehearsal
from mldeploy.rehearsal.place import Place
from mldeploy.ui.documents.rehearsal import HeldDocument, RehearseDocument
from mldeploy.ui.views import rehearsal as views


def rehearse(run: Run, action: Rehearsed) -> None:
    """Start it, end it, or say what it holds."""
    state = state_folder()
    if action is Rehearsed.UP:
        place: Place | None = standins.up(state)
    elif action is Rehearsed.DOWN:
        standins.down(state)
        place = None
    else:
        place = standins.running(state)
    document = _document(place)
    run.output.result(document, lambda page: views.rehearsal(document, page))


def _document(place: Place | None) -> RehearseDocument:
    if place is None:
        return RehearseDocument("down", standins.AWS, None, None, None, ())
    held = tuple(HeldDocument(thing.kind, thing.name) for thing in Rehearsal(place).contents())
    return RehearseDocument("up", standins.AWS, place.url, place.region, place.registry, held)
