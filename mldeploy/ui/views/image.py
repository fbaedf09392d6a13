"""How images look: `build`, `images`."""

from __future__ import annotations

from mldeploy.ui.documents.image import BuildDocument, ImageDocument, ImagesDocument, LayerDocument, StoredImageDocument
from mldeploy.ui.page import Page, Style
from mldeploy.ui.text import age, counted, size
from mldeploy.ui.views import Command

REMARKABLE = 0.005
"""A layer smaller than this part of its image is not worth a line."""


def built(document: BuildDocument, page: Page, *, terse: bool) -> None:
    """`build`. Terse: the reference alone."""
    image = document.image
    if terse:
        page.line(image.reference)
        return
    page.line()
    page.line((image.reference, Style.STRONG), f"  {image.platform}  {size(image.size)}")
    page.line()
    page.table(("SIZE", "LAYER"), [(size(layer.size), layer.instruction) for layer in layers(image)])


def layers(image: ImageDocument) -> list[LayerDocument]:
    """Those that weigh something, the newest first, and what the others weigh together."""
    weighty = [layer for layer in image.layers if layer.size >= image.size * REMARKABLE]
    rest = [layer for layer in image.layers if layer.size and layer not in weighty]
    others = LayerDocument(f"{counted(len(rest), 'small layer')}", sum(layer.size for layer in rest))
    return [*reversed(weighty), *([others] if rest else [])]


def images(document: ImagesDocument, page: Page, command: Command) -> None:
    """`images`."""
    for reference in document.removed:
        page.line("removed ", reference)
    if not document.images:
        page.line(f"No image of {document.app} is here. `{command('build')}` makes one.")
        return
    rows = [(each.reference, size(each.size), age(each.created), _use(each)) for each in document.images]
    page.table(("IMAGE", "SIZE", "CREATED", "USE"), rows)


def _use(image: StoredImageDocument) -> str:
    if image.current:
        return "answers now"
    return "in use" if image.in_use else ""
