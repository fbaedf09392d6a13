"""What the rooms return, as the documents that `ui` shows."""

from __future__ import annotations

from collections.abc import Sequence

from mldeploy.core.step import Resource
from mldeploy.core.verbs import Change, Done, Look
from mldeploy.image.catalogue import BuiltInfo
from mldeploy.image.types import Image
from mldeploy.providers.base import Instance
from mldeploy.ui import documents


def image(found: Image) -> documents.ImageDocument:
    layers = tuple(documents.LayerDocument(layer.instruction, layer.size) for layer in found.layers)
    return documents.ImageDocument(found.reference, found.digest, found.platform, found.size, layers)


def stored_image(found: BuiltInfo) -> documents.StoredImageDocument:
    return documents.StoredImageDocument(
        found.reference, found.id, found.size, found.created, bool(found.uses), found.current
    )


def steps(done: Sequence[Done]) -> tuple[documents.StepDocument, ...]:
    return tuple(
        documents.StepDocument(
            each.resource.kind, each.resource.key.name, each.title, each.action.value, round(each.seconds, 3)
        )
        for each in done
    )


def change(planned: Change) -> documents.ChangeDocument:
    key = planned.resource.key.name
    return documents.ChangeDocument(planned.resource.kind, key, planned.title, planned.intent.value, planned.reasons)


def found(look: Look[object]) -> documents.FoundDocument:
    resource, title = look.step.resource, look.step.title
    state, remarks = _state(look)
    return documents.FoundDocument(resource.kind, resource.key.name, title, state, remarks)


def _state(look: Look[object]) -> tuple[str, tuple[str, ...]]:
    if look.doubt is not None:
        return "unknown", (str(look.doubt) or repr(look.doubt),)
    if look.waits:
        return "open", ()
    if look.seen is None:
        return "absent", ()
    differs = (*look.seen.replace, *look.seen.drift)
    if differs and not look.seen.ours:
        return "foreign", (*differs, "mldeploy did not make it")
    return "differs" if differs else "present", differs


def instance(running: Instance) -> documents.InstanceDocument:
    return documents.InstanceDocument(
        running.name,
        running.image,
        running.state,
        running.health,
        running.url,
        running.started,
        running.restarts,
        running.memory,
    )


def resource(thing: Resource) -> documents.ResourceDocument:
    return documents.ResourceDocument(thing.kind, thing.key.name)
