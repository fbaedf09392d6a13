"""How images look: `build`, `images`."""

from __future__ import annotations

from mldeploy.ui.documents.image import (
    BuildDocument,
    ImageDocument,
    ImagesDocument,
    LayerDocument,
    LoginDocument,
    PushDocument,
    StoredImageDocument,
)
from mldeploy.ui.page import Page, Style
from mldeploy.ui.text import age, counted, size
from mldeploy.ui.views import Command
from mldeploy.ui.views.check import in_brief

FEW = 8
REMARKABLE = 0.005
"""Of many layers, one smaller than this part of its image is not worth a line."""

_BUILDERS = {"buildkit": "  built by BuildKit", "classic": "  built by the classic builder"}


def built(document: BuildDocument, page: Page, *, terse: bool) -> None:
    """`build`. Terse: the reference alone."""
    image = document.image
    if terse:
        page.line(image.reference)
        return
    page.line()
    by = _BUILDERS.get(image.builder, "")
    page.line((image.reference, Style.STRONG), f"  {image.platform}  {size(image.size)}{by}")
    page.line()
    page.table(("SIZE", "LAYER"), [(size(layer.size), layer.instruction) for layer in layers(image)])
    if document.verdict:
        in_brief(document.verdict, page)


def pushed(document: PushDocument, page: Page, command: Command, *, terse: bool) -> None:
    """`push`. Terse: the reference alone."""
    image = document.image
    if terse:
        page.line(image.reference)
        return
    page.line()
    page.line((image.reference, Style.STRONG), f"  {image.platform}  {size(image.size)}")
    page.line("remove ", command("destroy"))


def logged_in(document: LoginDocument, page: Page, command: Command) -> None:
    """`login`."""
    page.line((document.user, Style.STRONG), f" in {', '.join(document.place)}")
    page.line("registry ", document.registry, (f"  until {document.expires}" if document.expires else "", Style.DIM))
    if document.stored:
        page.line("stored   ", document.stored)
    page.line("push     ", command("push"))


def layers(image: ImageDocument) -> list[LayerDocument]:
    """Those that weigh something, the newest first; of more than a few, the light ones together."""
    heavy = [layer for layer in image.layers if layer.size]
    light = [layer for layer in heavy if layer.size < image.size * REMARKABLE] if len(heavy) > FEW else []
    shown = [layer for layer in reversed(heavy) if layer not in light]
    others = LayerDocument(f"{counted(len(light), 'small layer')}", sum(layer.size for layer in light))
    return [*shown, *([others] if light else [])]


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
