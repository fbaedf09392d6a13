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
class CloudDocument:
    """One stand-in."""

    name: Annotated[str, "what `rehearse` calls it: `aws`"]
    cloud: Annotated[str, "what is played: `AWS`"]
    state: Annotated[str, "`up` or `down`"]
    url: Annotated[str | None, "where it is played; null while it is down"]
    region: Annotated[str | None, "the region that is played; null while it is down"]
    registry: Annotated[str | None, "HOST:PORT of its registry; null while it is down"]
    contents: Annotated[tuple[HeldDocument, ...], "what was made there and not removed"]


@dataclass(frozen=True)
class RehearseDocument(Document):
    """`rehearse`."""

    clouds: Annotated[tuple[CloudDocument, ...], "each that can be played, or the one that was named"]
