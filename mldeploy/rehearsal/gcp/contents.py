"""What the stand-in holds."""

from __future__ import annotations

from collections.abc import Iterator

from mldeploy.rehearsal.door.interface import Thing
from mldeploy.rehearsal.gcp.artifacts.repositories import Repositories
from mldeploy.rehearsal.gcp.gke.clusters import Clusters


def listed(repositories: Repositories, clusters: Clusters) -> Iterator[Thing]:
    """Every thing that somebody made, or that was made for it, and that is still there."""
    yield from repositories.contents()
    yield from clusters.contents()
    yield from (piece.thing for piece in clusters.pieces())
