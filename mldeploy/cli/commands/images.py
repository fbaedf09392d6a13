"""`mldeploy images`."""

# ruff: noqa: PLC0415 - `--help` must not load the engine's SDK

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from mldeploy.cli import options
from mldeploy.cli.run import CommandRun
from mldeploy.ui.documents import Document
from mldeploy.ui.page import Page
from mldeploy.ui.text import age, size

if TYPE_CHECKING:
    from mldeploy.image.catalogue import BuiltInfo


@dataclass(frozen=True)
class StoredImageDocument:
    """One image on the engine."""

    reference: Annotated[str, "`name:tag`"]
    digest: Annotated[str, "image ID of the engine"]
    size: Annotated[int, "bytes, uncompressed"]
    created: Annotated[str, "ISO 8601, UTC"]
    in_use: Annotated[bool, "a container uses it, so it is never pruned"]
    current: Annotated[bool, "it is running on this machine"]


@dataclass(frozen=True)
class ImagesDocument(Document):
    """`images`."""

    app: Annotated[str, "name of the app"]
    images: Annotated[tuple[StoredImageDocument, ...], "images on the engine, newest first"]
    removed: Annotated[tuple[str, ...], "references that `--prune` removed"]


def images(
    run: CommandRun,
    prune: Annotated[
        int | None,
        typer.Option(
            "--prune", metavar="N", min=0, help="Remove all but the newest N and those in use.", show_default=False
        ),
    ] = None,
) -> None:
    """List the app's images on this machine.

    Examples:
        mldeploy images
        mldeploy images --prune 3
    """
    from mldeploy.cli.workspace import open_engine_workspace
    from mldeploy.image import catalogue

    workspace = open_engine_workspace(run)
    removed: tuple[str, ...] = ()
    if prune is not None:
        with workspace.locked(run) as work:
            removed = catalogue.prune_images(work.cloud.engine, workspace.app, prune)
    stored = catalogue.list_images(workspace.cloud.engine, workspace.app)
    document = ImagesDocument(app=workspace.app, images=tuple(map(_stored_image, stored)), removed=removed)
    run.output.result(document, lambda page: _print_images(document, page, run.commands(options.DEFAULT_TARGET)))


def _stored_image(image: BuiltInfo) -> StoredImageDocument:
    return StoredImageDocument(
        reference=image.reference,
        digest=image.id,
        size=image.size,
        created=image.created,
        in_use=bool(image.uses),
        current=image.current,
    )


def _print_images(document: ImagesDocument, page: Page, command: Callable[[str], str]) -> None:
    for reference in document.removed:
        page.line("removed ", reference)
    if not document.images:
        page.line(f"{document.app} has no images on this machine. Run `{command('build')}`.")
        return
    rows = [(image.reference, size(image.size), age(image.created), _describe_use(image)) for image in document.images]
    page.table(("IMAGE", "SIZE", "CREATED", "USE"), rows)


def _describe_use(image: StoredImageDocument) -> str:
    if image.current:
        return "running"
    return "in use" if image.in_use else ""
