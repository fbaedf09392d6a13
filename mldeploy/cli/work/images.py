"""`build` and `images`: the images on this machine's engine."""

from __future__ import annotations

from mldeploy.cli import workplace
from mldeploy.cli.describe import check as describe_check
from mldeploy.cli.describe import image as describe
from mldeploy.cli.options import DEFAULT_TARGET
from mldeploy.cli.run import Run
from mldeploy.config.override import Overrides
from mldeploy.core import verbs
from mldeploy.core.session import Session
from mldeploy.image import catalogue
from mldeploy.image.check.step import CheckedImage
from mldeploy.image.cloud import EngineCloud
from mldeploy.image.steps import BuiltImage
from mldeploy.ui.documents.image import BuildDocument, ImagesDocument
from mldeploy.ui.views import image as views


def build(run: Run, overrides: Overrides, *, checked: bool) -> None:
    """Walk as far as the image, or as the check of it. Nothing is swept: what stands on the image is not looked at."""
    place = workplace.for_build(run, overrides)
    with place.locked(run) as work:
        document = _built(place, work) if not checked else _checked(place, work)
    run.output.result(document, lambda page: views.built(document, page, terse=run.output.manner.quiet))
    workplace.unless_stopped(run, work.cancel)


def _built(place: workplace.Workplace[EngineCloud], work: Session[EngineCloud]) -> BuildDocument:
    done = verbs.deploy(BuiltImage.of(place.project), work)
    return BuildDocument(place.app, describe.image(done.out), None, describe.steps(done.steps), place.assumed)


def _checked(place: workplace.Workplace[EngineCloud], work: Session[EngineCloud]) -> BuildDocument:
    done = verbs.deploy(CheckedImage.of(BuiltImage.of(place.project)), work)
    verdict = describe_check.verdict(done.out.verdict, anew=done.out.anew)
    return BuildDocument(place.app, describe.image(done.out.image), verdict, describe.steps(done.steps), place.assumed)


def images(run: Run, keep: int | None) -> None:
    """List the app's images, after removing the old ones if the user said how many to keep."""
    place = workplace.for_images(run)
    removed: tuple[str, ...] = ()
    if keep is not None:
        with place.locked(run) as work:
            removed = catalogue.prune(work.cloud.engine, place.app, keep)
    stored = catalogue.images(place.cloud.engine, place.app)
    document = ImagesDocument(place.app, tuple(map(describe.stored_image, stored)), removed)
    run.output.result(document, lambda page: views.images(document, page, run.commands(DEFAULT_TARGET)))
