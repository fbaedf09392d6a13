"""`mldeploy check`, and the result of a check in other commands."""

# ruff: noqa: PLC0415 - `--help` must not load the engine's SDK

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mldeploy.cli import options
from mldeploy.cli.errors import UsageError
from mldeploy.cli.results import (
    ASSUMED,
    AssumedDocument,
    FindingDocument,
    finding_document,
    print_findings,
    summarize_findings,
)
from mldeploy.cli.run import CommandRun
from mldeploy.ui.documents import Document
from mldeploy.ui.page import Page, Style

if TYPE_CHECKING:
    from mldeploy.check.verdict import CheckVerdict
    from mldeploy.cli.workspace import Workspace
    from mldeploy.core.findings import Finding
    from mldeploy.core.journal import Session
    from mldeploy.image.cloud import EngineCloud
    from mldeploy.image.types import Image


@dataclass(frozen=True)
class VerdictDocument:
    """The result of checking an image."""

    good: Annotated[bool, "there are no errors; there may be warnings"]
    anew: Annotated[bool, "checked now; `false`: an earlier result that still applies"]
    errors: Annotated[int, "number of errors"]
    warnings: Annotated[int, "number of warnings"]
    start_seconds: Annotated[float | None, "time until the app was healthy"]
    stop_seconds: Annotated[float | None, "time from SIGTERM to its exit"]
    memory_at_rest: Annotated[int | None, "bytes when it became healthy"]
    memory_after_golden: Annotated[int | None, "bytes after the golden row's request"]
    memory_proposed: Annotated[int | None, "proposed value of `[app] memory` in bytes"]
    findings: Annotated[tuple[FindingDocument, ...], "every line, causes before their consequences"]


@dataclass(frozen=True)
class CheckDocument(Document):
    """`check`."""

    app: Annotated[str, "name of the app"]
    image: Annotated[str, "`name:tag` of the checked image"]
    verdict: Annotated[VerdictDocument, "result of the check"]
    sbom: Annotated[str | None, "file given with `--sbom`"]
    assumed: Annotated[tuple[AssumedDocument, ...], ASSUMED] = ()


def check(
    run: CommandRun,
    platform: options.Platform = None,
    base_image: options.BaseImage = None,
    builder: options.Builder = None,
    sbom: Annotated[
        Path | None,
        typer.Option(
            "--sbom",
            metavar="FILE",
            help="Write an SBOM of the installed Python packages (CycloneDX 1.6, JSON).",
            show_default=False,
        ),
    ] = None,
    vulnerabilities: Annotated[
        bool, typer.Option("--vulnerabilities", help="Look up known vulnerabilities of the installed packages.")
    ] = False,
) -> None:
    """Start the image once with production restrictions and report what works and what does not.

    Checks that the models load, that installed packages match the requirements and the models, that the app listens on
    its port, becomes healthy, returns the golden row's answer and stops on SIGTERM. Measures its memory, and looks for
    secrets and for a root user in the image.

    Always runs, also if `build` checked the image before. Exit code 1 if there is an error; warnings do not change it.

    `--vulnerabilities` sends package names and versions to OSV, or to `vulnerability_database` in `[check]`. Known
    vulnerabilities are warnings.

    `--sbom` needs the extra `sbom`: `pip install 'mldeploy[sbom]'`.

    Examples:
        mldeploy check
        mldeploy check --sbom sbom.json --vulnerabilities
    """
    from mldeploy.cli.workspace import exit_if_interrupted, open_build_workspace
    from mldeploy.core.errors import ExitCode

    if sbom:
        _refuse_unwritable(sbom)
        import_module("mldeploy.check.sbom")  # a missing extra is reported before the image is built and checked
    workspace = open_build_workspace(run, options.build_overrides(platform, base_image, builder))
    with workspace.locked(run) as work:
        image, verdict = _check_image(workspace, work)
    if sbom:
        verdict = _add_findings(verdict, _write_sbom(workspace, image, verdict, sbom))
    if vulnerabilities:
        verdict = _add_findings(verdict, _find_vulnerabilities(run, workspace, verdict))
    document = CheckDocument(
        app=workspace.app,
        image=image.reference,
        verdict=verdict_document(verdict, anew=True),
        sbom=str(sbom) if sbom else None,
        assumed=workspace.assumed,
    )
    run.output.result(document, lambda page: _print_check(document, page, terse=run.output.mode.quiet))
    if verdict.errors:
        raise typer.Exit(ExitCode.FAILED)
    exit_if_interrupted(run, work.cancel)


def verdict_document(verdict: CheckVerdict, *, anew: bool) -> VerdictDocument:
    """Return a verdict for `--json`. anew: the image was checked now."""
    figures = verdict.figures
    return VerdictDocument(
        good=not verdict.errors,
        anew=anew,
        errors=len(verdict.errors),
        warnings=len(verdict.warnings),
        start_seconds=_round_seconds(figures.start),
        stop_seconds=_round_seconds(figures.stop),
        memory_at_rest=figures.memory_at_rest,
        memory_after_golden=figures.memory_after_golden,
        memory_proposed=figures.memory_proposed,
        findings=tuple(map(finding_document, verdict.findings)),
    )


def print_verdict_summary(verdict: VerdictDocument, page: Page) -> None:
    """Print the number of findings, and the errors and warnings."""
    passed = sum(finding.level == "ok" for finding in verdict.findings)
    counts = summarize_findings(verdict.errors, verdict.warnings)
    page.line()
    page.line(f"Checked{'' if verdict.anew else ' earlier'}: {passed} ok{f', {counts}' if counts else ''}.")
    print_findings((finding for finding in verdict.findings if finding.level != "ok"), page)


def _check_image(workspace: Workspace[EngineCloud], work: Session[EngineCloud]) -> tuple[Image, CheckVerdict]:
    """Check the image. A failed check is a result, too."""
    from mldeploy.check.step import CheckedImage
    from mldeploy.check.verdict import CheckFailedError
    from mldeploy.core import verbs
    from mldeploy.image.steps import BuiltImage

    try:
        checked = verbs.deploy(CheckedImage.of(BuiltImage.of(workspace.project), anew=True), work).out
    except verbs.DeploymentFailedError as problem:
        failure = problem.failures[0][1]
        if not isinstance(failure, CheckFailedError):
            raise
        return failure.image, failure.verdict
    return checked.image, checked.verdict


def _refuse_unwritable(sbom: Path) -> None:
    if sbom.is_dir() or not sbom.parent.is_dir():
        what = "is a folder" if sbom.is_dir() else f"the folder {sbom.parent} does not exist"
        raise UsageError(f"--sbom {sbom}", what, "Name a file in an existing folder.")


def _write_sbom(
    workspace: Workspace[EngineCloud], image: Image, verdict: CheckVerdict, file: Path
) -> Iterator[Finding]:
    """Write the SBOM; yields an error if the packages of the image are not known."""
    from mldeploy.core.errors import StateError
    from mldeploy.core.findings import error

    inspection = verdict.inspection
    if inspection is None or inspection.distributions is None:
        why = inspection.problem if inspection else "the image was not inspected"
        yield error("sbom", f"{file} was not written: {why}")
        return
    from mldeploy.check.sbom import render_sbom

    try:
        file.write_text(render_sbom(workspace.app, image, inspection), encoding="utf-8")
    except OSError as problem:
        raise StateError(str(file), f"cannot be written ({problem.strerror})", "Name another file.") from problem


def _find_vulnerabilities(
    run: CommandRun, workspace: Workspace[EngineCloud], verdict: CheckVerdict
) -> Iterator[Finding]:
    """Query the vulnerability database for the packages of the image."""
    from mldeploy.check.vulnerabilities import check_vulnerabilities

    url = workspace.project.check.vulnerability_database
    run.output.info(f"Querying {url} for known vulnerabilities …")
    if verdict.inspection:
        yield from check_vulnerabilities(verdict.inspection, url, workspace.project.build.ca_bundle)


def _add_findings(verdict: CheckVerdict, more: Iterable[Finding]) -> CheckVerdict:
    return replace(verdict, findings=(*verdict.findings, *more))


def _round_seconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def _print_check(document: CheckDocument, page: Page, *, terse: bool) -> None:
    """Print the result. terse: only errors and warnings."""
    verdict = document.verdict
    if not terse:
        page.line((document.image, Style.STRONG))
    print_findings((finding for finding in verdict.findings if not terse or finding.level != "ok"), page)
    if terse:
        return
    page.line()
    if document.sbom:
        page.line(f"SBOM: {document.sbom}")
    counts = summarize_findings(verdict.errors, verdict.warnings)
    page.line(f"{counts}." if counts else "All checks passed.")
