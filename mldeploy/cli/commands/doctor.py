"""`mldeploy doctor`."""

# ruff: noqa: PLC0415 - `--help` must not load the checks

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer

from mldeploy.cli import options
from mldeploy.cli.errors import UsageError
from mldeploy.cli.results import FindingDocument, print_findings, summarize_findings
from mldeploy.cli.run import CommandRun
from mldeploy.core.redaction import redact
from mldeploy.ui.documents import Document
from mldeploy.ui.page import Page, Style

if TYPE_CHECKING:
    from mldeploy.doctor.runner import FixResult, GroupedFinding

TITLE = "Run the checks"


@dataclass(frozen=True)
class DiagnosisDocument:
    """One line of the report."""

    group: Annotated[str, "`engine`, `folder`, `configuration`, `network`, `clock` or `target`"]
    subject: Annotated[str, "subject: a word, a key or a file"]
    level: Annotated[str, "`ok`, `warning` or `error`"]
    what: Annotated[str, "the fact"]
    todo: Annotated[str, "how to fix it; may be empty"]
    fixable: Annotated[bool, "`--fix` can fix it"]


@dataclass(frozen=True)
class FixDocument:
    """One attempt of `--fix`."""

    title: Annotated[str, "the action"]
    done: Annotated[bool, "it succeeded"]
    problem: Annotated[str, "why it failed; empty if it succeeded"]


@dataclass(frozen=True)
class DoctorDocument(Document):
    """`doctor`."""

    target: Annotated[str, "deployment target"]
    healthy: Annotated[bool, "there are no errors; there may be warnings"]
    errors: Annotated[int, "number of errors"]
    warnings: Annotated[int, "number of warnings"]
    fixes: Annotated[tuple[FixDocument, ...], "actions of `--fix`, before the checks ran again"]
    findings: Annotated[tuple[DiagnosisDocument, ...], "every line, by group"]


def doctor(
    run: CommandRun,
    target: options.Target = options.DEFAULT_TARGET,
    fix: Annotated[bool, typer.Option("--fix", help="Fix what can be fixed safely, then check again.")] = False,
) -> None:
    """Check this machine, the folder and the target, and report how to fix problems.

    Checks the Docker Engine, the folder, the configuration, the network, the clock and the target, without changing
    anything. Cannot be combined with `--rehearse`.

    `--fix` removes what a killed command left behind: its lock and a container of a check. It never starts an engine,
    deletes an image or edits your files.

    A check that takes too long ends with a warning. A missing extra of the target is an error; the other checks run.

    Exit code 1 if there is an error; warnings do not change it.

    Examples:
        mldeploy doctor
        mldeploy doctor --target fargate
        mldeploy doctor --fix
    """
    from mldeploy.cli.log import listen
    from mldeploy.core.errors import ExitCode
    from mldeploy.doctor.runner import apply_fixes
    from mldeploy.project.load import require_folder

    if run.rehearse:
        raise UsageError("mldeploy doctor", "cannot be combined with --rehearse", "Use `mldeploy rehearse status`.")
    require_folder(run.folder)
    listen(verbose=run.output.mode.verbose)
    diagnoses = _run_checks(run, target)
    fixes = apply_fixes(diagnoses) if fix else ()
    if fixes:
        diagnoses = _run_checks(run, target)
    document = _doctor_document(target, diagnoses, fixes)
    command, terse = run.commands(target), run.output.mode.quiet
    run.output.result(document, lambda page: _print_report(document, page, command, terse=terse))
    if not document.healthy:
        raise typer.Exit(ExitCode.FAILED)


def _run_checks(run: CommandRun, target: str) -> tuple[GroupedFinding, ...]:
    """Run all checks, displayed as a step."""
    import time

    from mldeploy.core.events import Action, Finished, Started
    from mldeploy.core.step import Key, Resource
    from mldeploy.doctor.checks import diagnose
    from mldeploy.ui.output import ProgressDetail

    resource, began = Resource("doctor", Key(target)), time.monotonic()
    with run.output.show_progress(ProgressDetail.PROBES) as events:
        events(Started(resource, TITLE))
        diagnoses = diagnose(run.folder, target, (*run.account(target), *run.selection))
        events(Finished(resource, TITLE, Action.UNCHANGED, time.monotonic() - began))
    return diagnoses


def _doctor_document(target: str, diagnoses: Sequence[GroupedFinding], fixes: Sequence[FixResult]) -> DoctorDocument:
    levels = [each.finding.level.value for each in diagnoses]
    errors = levels.count("error")
    return DoctorDocument(
        target=target,
        healthy=not errors,
        errors=errors,
        warnings=levels.count("warning"),
        fixes=tuple(FixDocument(title=fix.title, done=not fix.problem, problem=redact(fix.problem)) for fix in fixes),
        findings=tuple(map(_diagnosis_document, diagnoses)),
    )


def _diagnosis_document(diagnosis: GroupedFinding) -> DiagnosisDocument:
    finding = diagnosis.finding
    return DiagnosisDocument(
        group=diagnosis.group.value,
        subject=finding.subject,
        level=finding.level.value,
        what=redact(finding.what),
        todo=redact(finding.todo),
        fixable=finding.fix is not None,
    )


def _print_report(document: DoctorDocument, page: Page, command: Callable[[str], str], *, terse: bool) -> None:
    """Print the report. terse: only errors and warnings."""
    for fix in document.fixes:
        reason = f": {fix.problem}" if fix.problem else ""
        page.item((f"{'fixed' if fix.done else 'not fixed'}  ",), f"{fix.title}{reason}")
    shown = [each for each in document.findings if not terse or each.level != "ok"]
    for group, findings in groupby(shown, lambda each: each.group):
        title = f"{group} {document.target}" if group == "target" else group
        page.line((title[0].upper() + title[1:], Style.STRONG))
        print_findings(map(_as_finding, findings), page)
    if not terse:
        page.line()
        page.line(_summarize(document, command))


def _as_finding(diagnosis: DiagnosisDocument) -> FindingDocument:
    return FindingDocument(subject=diagnosis.subject, level=diagnosis.level, what=diagnosis.what, todo=diagnosis.todo)


def _summarize(document: DoctorDocument, command: Callable[[str], str]) -> str:
    counts = summarize_findings(document.errors, document.warnings)
    if not counts:
        return "All checks passed."
    fixable = sum(each.fixable for each in document.findings)
    hint = f" Run `{command('doctor --fix')}` to fix {fixable} of them." if fixable else ""
    return f"{counts}.{hint}"
