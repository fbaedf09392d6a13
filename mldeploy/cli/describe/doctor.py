"""What the doctor found, and what was mended."""

from __future__ import annotations

from collections.abc import Sequence

from mldeploy.doctor.examination import Diagnosis, Mended
from mldeploy.providers.checks import Level
from mldeploy.ui.documents.doctor import DiagnosisDocument, DoctorDocument, FixDocument


def report(target: str, diagnoses: Sequence[Diagnosis], mended: Sequence[Mended]) -> DoctorDocument:
    levels = [each.finding.level for each in diagnoses]
    errors = levels.count(Level.ERROR)
    fixes = tuple(FixDocument(each.title, not each.problem, each.problem) for each in mended)
    findings = tuple(map(_diagnosis, diagnoses))
    return DoctorDocument(target, not errors, errors, levels.count(Level.WARNING), fixes, findings)


def _diagnosis(each: Diagnosis) -> DiagnosisDocument:
    found = each.finding
    return DiagnosisDocument(
        each.group.value, found.subject, found.level.value, found.what, found.todo, found.fix is not None
    )
