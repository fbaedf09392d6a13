"""Parts of results that several commands share: images, steps, findings, and how they are printed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from mldeploy.ui.page import Page, Style
from mldeploy.ui.text import counted

if TYPE_CHECKING:
    from mldeploy.core.findings import Finding
    from mldeploy.core.verbs import Done
    from mldeploy.image.types import Image

FEW_LAYERS = 8
SMALL_LAYER = 0.005
"""In a list of more than FEW_LAYERS, layers below this share of the image are combined."""
ASSUMED = "settings that are not configured and were detected in the folder"
ENVIRONMENT = "environment, of `--env` or MLDEPLOY_ENV; null without one"
STEPS = "in the order in which they finished"

_LEVEL_STYLES = {"ok": Style.GOOD, "warning": Style.WARN, "error": Style.BAD}
_LEVEL_WIDTH = max(map(len, _LEVEL_STYLES))


@dataclass(frozen=True)
class AssumedDocument:
    """A setting that is not configured and was detected in the folder."""

    key: Annotated[str, "key of the configuration: `app.entry`"]
    value: Annotated[str, "value in use"]
    why: Annotated[str, "where it was detected, with file and line if there is one"]
    guess: Annotated[bool, "no file says the value, and no tool was run: `why` is the reason for it"] = False


@dataclass(frozen=True)
class StepDocument:
    """The result of one step."""

    kind: Annotated[str, "kind of resource; stable"]
    name: Annotated[str, "name of the resource"]
    title: Annotated[str, "title on the terminal"]
    action: Annotated[str, "`created`, `updated`, `unchanged` or `removed`"]
    seconds: Annotated[float, "duration of this step"]


@dataclass(frozen=True)
class FindingDocument:
    """One line of a check."""

    subject: Annotated[str, "subject: `model`, `requirements`, `health`, `port`, `golden row`, `memory` …"]
    level: Annotated[str, "`ok`, `warning` or `error`"]
    what: Annotated[str, "the fact, with its figure"]
    todo: Annotated[str, "how to fix it; may be empty"]


def step_documents(steps: Sequence[Done]) -> tuple[StepDocument, ...]:
    """Return the finished steps for `--json`."""
    return tuple(
        StepDocument(
            kind=step.resource.kind,
            name=step.resource.key.name,
            title=step.title,
            action=step.action.value,
            seconds=round(step.seconds, 3),
        )
        for step in steps
    )


def finding_document(finding: Finding) -> FindingDocument:
    """Return a finding for `--json`."""
    return FindingDocument(subject=finding.subject, level=finding.level.value, what=finding.what, todo=finding.todo)


def list_layers(image: Image) -> list[tuple[str, int]]:
    """Return instruction and size of the layers that are not empty, newest first; many small ones are combined."""
    filled = [layer for layer in image.layers if layer.size]
    small = [layer for layer in filled if layer.size < image.size * SMALL_LAYER] if len(filled) > FEW_LAYERS else []
    shown = [(layer.instruction, layer.size) for layer in reversed(filled) if layer not in small]
    combined = (counted(len(small), "small layer"), sum(layer.size for layer in small))
    return [*shown, *([combined] if small else [])]


def print_findings(findings: Iterable[FindingDocument], page: Page) -> None:
    """Print a line for each finding, followed by further lines of its text and its remedy."""
    for finding in findings:
        first, *others = finding.what.split("\n")
        level = (finding.level.ljust(_LEVEL_WIDTH), _LEVEL_STYLES[finding.level])
        page.item(("  ", level, "  "), (finding.subject, Style.STRONG), f": {first}")
        for line in (*others, *(finding.todo.split("\n") if finding.todo else ())):
            page.item((" " * (_LEVEL_WIDTH + 6),), line)


def summarize_findings(errors: int, warnings: int) -> str:
    """Return `1 error and 2 warnings`; empty if there is neither."""
    counts = [counted(number, noun) for number, noun in ((errors, "error"), (warnings, "warning")) if number]
    return " and ".join(counts)


def no_page(_page: Page) -> None:
    """Print nothing: the result has only a `--json` form."""
