"""What was found of an image."""

from __future__ import annotations

from mldeploy.core.findings import Finding
from mldeploy.image.check.verdict import Verdict
from mldeploy.ui.documents.verdict import FindingDocument, VerdictDocument


def verdict(found: Verdict, *, anew: bool) -> VerdictDocument:
    figures = found.figures
    return VerdictDocument(
        good=not found.errors,
        anew=anew,
        errors=len(found.errors),
        warnings=len(found.warnings),
        start_seconds=_rounded(figures.start),
        stop_seconds=_rounded(figures.stop),
        memory_at_rest=figures.memory_at_rest,
        memory_after_golden=figures.memory_after_golden,
        memory_proposed=figures.memory_proposed,
        findings=tuple(map(_finding, found.findings)),
    )


def _finding(each: Finding) -> FindingDocument:
    return FindingDocument(each.subject, each.level.value, each.what, each.todo)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
