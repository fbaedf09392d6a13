"""`check`: look at the image anew, and print every line."""

from __future__ import annotations

import typer

from mldeploy.cli import workplace
from mldeploy.cli.describe import check as describe
from mldeploy.cli.run import Run
from mldeploy.config.override import Overrides
from mldeploy.core import verbs
from mldeploy.core.errors import ExitCode
from mldeploy.core.session import Session
from mldeploy.image.check.step import CheckedImage
from mldeploy.image.check.verdict import CheckFailedError, Verdict
from mldeploy.image.cloud import EngineCloud
from mldeploy.image.steps import BuiltImage
from mldeploy.ui.documents.check import CheckDocument
from mldeploy.ui.views import check as views


def check(run: Run, overrides: Overrides) -> None:
    """Print the verdict; exit code 1 if there is an error in it."""
    place = workplace.for_build(run, overrides)
    with place.locked(run) as work:
        reference, verdict = _verdict(place, work)
    document = CheckDocument(place.app, reference, describe.verdict(verdict, anew=True), None)
    run.output.result(document, lambda page: views.checked(document, page, terse=run.output.manner.quiet))
    if verdict.errors:
        raise typer.Exit(ExitCode.FAILED)
    workplace.unless_stopped(run, work.cancel)


def _verdict(place: workplace.Workplace[EngineCloud], work: Session[EngineCloud]) -> tuple[str, Verdict]:
    """The image's reference and what was found of it: that something is wrong with it is a result, too."""
    try:
        checked = verbs.deploy(CheckedImage.of(BuiltImage.of(place.project), anew=True), work).out
    except verbs.DeploymentFailedError as error:
        failure = error.failures[0][1]
        if not isinstance(failure, CheckFailedError):
            raise
        return failure.reference, failure.verdict
    return checked.image.reference, checked.verdict
