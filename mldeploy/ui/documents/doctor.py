"""What is said of the machine, the folder and the target: `doctor`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from mldeploy.ui.documents import Document


@dataclass(frozen=True)
class DiagnosisDocument:
    """One line of the report."""

    group: Annotated[str, "`engine`, `folder`, `configuration`, `network`, `clock` or `target`"]
    subject: Annotated[str, "what it is about: a word, a key, a file"]
    level: Annotated[str, "`ok`, `warning` or `error`"]
    what: Annotated[str, "the fact"]
    todo: Annotated[str, "what to do about it; may be empty"]
    fixable: Annotated[bool, "`--fix` mends it"]


@dataclass(frozen=True)
class FixDocument:
    """What `--fix` tried to mend."""

    title: Annotated[str, "what was to be done"]
    done: Annotated[bool, "it was done"]
    problem: Annotated[str, "why it was not; empty if it was"]


@dataclass(frozen=True)
class DoctorDocument(Document):
    """`doctor`."""

    target: Annotated[str, "the target that was looked at"]
    healthy: Annotated[bool, "there is no error; warnings there may be"]
    errors: Annotated[int, "how many lines are errors"]
    warnings: Annotated[int, "how many lines are warnings"]
    fixes: Annotated[tuple[FixDocument, ...], "what `--fix` did, before everything was looked at again"]
    findings: Annotated[tuple[DiagnosisDocument, ...], "every line, group by group"]
