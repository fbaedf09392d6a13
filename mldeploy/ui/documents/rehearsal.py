"""What is said of a rehearsal: `rehearse`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from mldeploy.ui.documents import Document


@dataclass(frozen=True)
class HeldDocument:
    """One thing that was made in the stand-in."""

    kind: Annotated[str, "what it is: `ecs:cluster`"]
    name: Annotated[str, "what it is called there"]


@dataclass(frozen=True)
class RehearseDocument(Document):
    """`rehearse`."""

    state: Annotated[str, "`up` or `down`"]
    cloud: Annotated[str, "what is played: `AWS`"]
    url: Annotated[str | None, "where it is played; null while it is down"]
    region: Annotated[str | None, "the region that is played; null while it is down"]
    registry: Annotated[str | None, "HOST:PORT of its registry; null while it is down"]
    contents: Annotated[tuple[HeldDocument, ...], "what was made there and not removed"]
