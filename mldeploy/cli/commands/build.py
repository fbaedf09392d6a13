"""`mldeploy build`."""

# ruff: noqa: PLC0415 - `--help` must not load the engine's SDK

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mldeploy.cli import options
from mldeploy.cli.commands.check import VerdictDocument, print_verdict_summary, verdict_document
from mldeploy.cli.results import ASSUMED, STEPS, AssumedDocument, StepDocument, list_layers, step_documents
from mldeploy.cli.run import CommandRun
from mldeploy.ui.documents import Document
from mldeploy.ui.page import Page, Style
from mldeploy.ui.text import size

if TYPE_CHECKING:
    from mldeploy.cli.workspace import Workspace
    from mldeploy.config.override import Overrides
    from mldeploy.core.journal import Session
    from mldeploy.core.verbs import Done
    from mldeploy.image.cloud import EngineCloud
    from mldeploy.image.types import Image

BUILDER_NAMES = {"buildkit": "  built by BuildKit", "classic": "  built by the classic builder"}


@dataclass(frozen=True)
class BuildDocument(Document):
    """`build`."""

    app: Annotated[str, "name of the app"]
    image: Annotated[Image, "image of the current files"]
    verdict: Annotated[VerdictDocument | None, "result of the check; null with `--no-check`"]
    steps: Annotated[tuple[StepDocument, ...], STEPS]
    assumed: Annotated[tuple[AssumedDocument, ...], ASSUMED] = ()


def build(  # noqa: PLR0913, PLR0917 - one parameter per option
    run: CommandRun,
    platform: options.Platform = None,
    base_image: options.BaseImage = None,
    builder: options.Builder = None,
    ca_bundle: options.CaBundle = None,
    cache_from: options.CacheFrom = None,
    cache_to: options.CacheTo = None,
    no_check: Annotated[bool, typer.Option("--no-check", help="Do not start and check the image.")] = False,
    save: Annotated[
        Path | None,
        typer.Option(
            "--save",
            metavar="DIR",
            help="Also write the image to this folder, for `deploy --image DIR` on another machine.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Build and check the app's image.

    Does nothing if the image of the current files exists and passed the check. Prints the reference, the size and the
    layers of the image, and the warnings of the check.

    Examples:
        mldeploy build
        mldeploy build --platform linux/arm64 --no-check
        mldeploy build --env staging --save ../image
    """
    from mldeploy.cli.app_routes import settle_routes
    from mldeploy.cli.workspace import exit_if_interrupted, open_build_workspace
    from mldeploy.image.steps import BuiltImage

    build_settings: tuple[options.Setting, ...] = (
        # Paths on a command line are relative to the current folder.
        ("build.ca_bundle", str(Path(ca_bundle).absolute()) if ca_bundle else None, "--ca-bundle"),
        ("build.cache_from", tuple(cache_from) if cache_from else None, "--cache-from"),
        ("build.cache_to", cache_to, "--cache-to"),
    )
    overrides = options.build_overrides(platform, base_image, builder, *build_settings)
    workspace = open_build_workspace(run, overrides)
    with workspace.locked(run) as work:
        # Nothing is swept: the steps after the image are not probed.
        settled, listed = settle_routes(run, workspace, BuiltImage.of(workspace.project), work)
        document = _build_unchecked(settled, work, listed) if no_check else _build_checked(settled, work, listed)
    if save is not None:
        _save(run, workspace, overrides, document.image, save)
    run.output.result(document, lambda page: _print_build(document, page, terse=run.output.mode.quiet))
    exit_if_interrupted(run, work.cancel)


def _save(run: CommandRun, workspace: Workspace[EngineCloud], overrides: Overrides, image: Image, folder: Path) -> None:
    from mldeploy.cli.image_handover import save_image
    from mldeploy.cli.workspace import inspect_folder

    save_image(workspace.cloud.engine, image, inspect_folder(run, overrides, verbose=False).project, folder)
    run.output.info(f"The image is in {folder}.")


def _build_unchecked(
    workspace: Workspace[EngineCloud], work: Session[EngineCloud], listed: tuple[Done, ...]
) -> BuildDocument:
    from mldeploy.cli.app_routes import merge_steps
    from mldeploy.core import verbs
    from mldeploy.image.steps import BuiltImage

    done = verbs.deploy(BuiltImage.of(workspace.project), work)
    return BuildDocument(
        app=workspace.app,
        image=done.out,
        verdict=None,
        steps=step_documents(merge_steps(listed, done.steps)),
        assumed=workspace.assumed,
    )


def _build_checked(
    workspace: Workspace[EngineCloud], work: Session[EngineCloud], listed: tuple[Done, ...]
) -> BuildDocument:
    from mldeploy.check.step import CheckedImage
    from mldeploy.cli.app_routes import merge_steps
    from mldeploy.core import verbs
    from mldeploy.image.steps import BuiltImage

    done = verbs.deploy(CheckedImage.of(BuiltImage.of(workspace.project)), work)
    return BuildDocument(
        app=workspace.app,
        image=done.out.image,
        verdict=verdict_document(done.out.verdict, anew=done.out.anew),
        steps=step_documents(merge_steps(listed, done.steps)),
        assumed=workspace.assumed,
    )


def _print_build(document: BuildDocument, page: Page, *, terse: bool) -> None:
    """Print the result. terse: only the reference."""
    image = document.image
    if terse:
        page.line(image.reference)
        return
    page.line()
    builder = BUILDER_NAMES.get(image.builder, "")
    page.line((image.reference, Style.STRONG), f"  {image.platform}  {size(image.size)}{builder}")
    page.line()
    page.table(("SIZE", "LAYER"), [(size(layer_size), instruction) for instruction, layer_size in list_layers(image)])
    if document.verdict:
        print_verdict_summary(document.verdict, page)
