"""`check`: look at the image anew, and print every line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import typer

from mldeploy.cli import workplace
from mldeploy.cli.describe import check as describe
from mldeploy.cli.errors import UsageError
from mldeploy.cli.run import Run
from mldeploy.config.override import Overrides
from mldeploy.core import verbs
from mldeploy.core.errors import ExitCode, StateError
from mldeploy.core.findings import Finding, error
from mldeploy.core.session import Session
from mldeploy.image.check.step import CheckedImage
from mldeploy.image.check.verdict import CheckFailedError, Verdict
from mldeploy.image.cloud import EngineCloud
from mldeploy.image.steps import BuiltImage
from mldeploy.image.types import Image
from mldeploy.ui.documents.check import CheckDocument
from mldeploy.ui.views import check as views


def check(run: Run, overrides: Overrides, sbom: Path | None, *, vulnerabilities: bool) -> None:
    """Print the verdict; exit code 1 if there is an error in it. sbom: where the bill of materials is written."""
    if sbom:
        _refuse_unwritable(sbom)
    place = workplace.for_build(run, overrides)
    with place.locked(run) as work:
        image, verdict = _verdict(place, work)
    if sbom:
        verdict = _and(verdict, _written(place, image, verdict, sbom))
    if vulnerabilities:
        verdict = _and(verdict, _looked_up(run, place, verdict))
    document = CheckDocument(
        place.app, image.reference, describe.verdict(verdict, anew=True), str(sbom) if sbom else None, place.assumed
    )
    run.output.result(document, lambda page: views.checked(document, page, terse=run.output.manner.quiet))
    if verdict.errors:
        raise typer.Exit(ExitCode.FAILED)
    workplace.unless_stopped(run, work.cancel)


def _verdict(place: workplace.Workplace[EngineCloud], work: Session[EngineCloud]) -> tuple[Image, Verdict]:
    """The image and what was found of it: that something is wrong with it is a result, too."""
    try:
        checked = verbs.deploy(CheckedImage.of(BuiltImage.of(place.project), anew=True), work).out
    except verbs.DeploymentFailedError as problem:
        failure = problem.failures[0][1]
        if not isinstance(failure, CheckFailedError):
            raise
        return failure.image, failure.verdict
    return checked.image, checked.verdict


def _refuse_unwritable(sbom: Path) -> None:
    if sbom.is_dir() or not sbom.parent.is_dir():
        what = "is a folder" if sbom.is_dir() else f"there is no folder {sbom.parent}"
        raise UsageError(f"--sbom {sbom}", what, "Name a file in a folder that is there.")


def _written(place: workplace.Workplace[EngineCloud], image: Image, verdict: Verdict, file: Path) -> Iterator[Finding]:
    """Write the bill of materials."""
    inspection = verdict.inspection
    if inspection is None or inspection.distributions is None:
        why = inspection.problem if inspection else "the image was not looked into"
        yield error("sbom", f"{file} was not written: {why}")
        return
    from mldeploy.image.check.sbom import document  # noqa: PLC0415 - 0.2 s that other checks do not need

    try:
        file.write_text(document(place.app, image, inspection), encoding="utf-8")
    except OSError as problem:
        raise StateError(str(file), f"cannot be written ({problem.strerror})", "Name another file.") from problem


def _looked_up(run: Run, place: workplace.Workplace[EngineCloud], verdict: Verdict) -> Iterator[Finding]:
    """Ask the database of vulnerabilities."""
    from mldeploy.image.check.vulnerabilities import findings  # noqa: PLC0415 - nor need they this

    url = place.project.check.vulnerability_database
    run.output.say(f"Asking {url} what is known of the distributions …")
    if verdict.inspection:
        yield from findings(verdict.inspection, url, place.project.build.ca_bundle)


def _and(verdict: Verdict, more: Iterable[Finding]) -> Verdict:
    return replace(verdict, findings=(*verdict.findings, *more))
