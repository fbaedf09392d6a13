"""What is said of the versions of what runs: `history`, `rollback`, `scale`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from mldeploy.ui.documents import Document


@dataclass(frozen=True)
class ReleaseDocument:
    """One version that was brought to the target."""

    revision: Annotated[str, "the name that `rollback` takes"]
    image: Annotated[str, "what it runs"]
    created: Annotated[str, "when it was brought there; ISO 8601, UTC"]
    state: Annotated[str, "`serving`, `failed` or `old`"]
    url: Annotated[str, "where it answers; empty if it does not"]


@dataclass(frozen=True)
class HistoryDocument(Document):
    """`history`."""

    app: Annotated[str, "the app's name"]
    target: Annotated[str, "the target that was looked at"]
    releases: Annotated[tuple[ReleaseDocument, ...], "the newest first"]


@dataclass(frozen=True)
class RollbackDocument(Document):
    """`rollback`."""

    app: Annotated[str, "the app's name"]
    target: Annotated[str, "the target that was changed"]
    url: Annotated[str, "where it answers"]
    image: Annotated[str, "what answers there now"]


@dataclass(frozen=True)
class ScaleDocument(Document):
    """`scale`."""

    app: Annotated[str, "the app's name"]
    target: Annotated[str, "the target that was changed"]
    count: Annotated[int, "how many copies run"]
