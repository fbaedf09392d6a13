"""Images and the steps that made them."""

from __future__ import annotations

from collections.abc import Sequence

from mldeploy.core.verbs import Done
from mldeploy.image.catalogue import BuiltInfo
from mldeploy.image.types import Image
from mldeploy.ui.documents.image import ImageDocument, LayerDocument, StepDocument, StoredImageDocument


def image(found: Image) -> ImageDocument:
    layers = tuple(LayerDocument(layer.instruction, layer.size) for layer in found.layers)
    return ImageDocument(found.reference, found.digest, found.platform, found.size, layers, found.builder)


def stored_image(found: BuiltInfo) -> StoredImageDocument:
    return StoredImageDocument(found.reference, found.id, found.size, found.created, bool(found.uses), found.current)


def steps(done: Sequence[Done]) -> tuple[StepDocument, ...]:
    return tuple(
        StepDocument(each.resource.kind, each.resource.key.name, each.title, each.action.value, round(each.seconds, 3))
        for each in done
    )
