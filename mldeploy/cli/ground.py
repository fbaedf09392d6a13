"""Where a command's work is done: in the real cloud, or on this machine as a rehearsal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mldeploy.cli.run import Run
from mldeploy.config.endpoints import PUBLIC, Endpoints
from mldeploy.config.paths import state_folder


@dataclass(frozen=True)
class Ground:
    """endpoints: where the platform answers. state: where its journals are; a rehearsal has its own."""

    endpoints: Endpoints
    state: Path


def ground(run: Run, target: str) -> Ground:
    """What the user asks for; a rehearsal is said to be one before anything is done."""
    state = state_folder()
    if not run.rehearse:
        return Ground(PUBLIC, state)
    from mldeploy.rehearsal import standins  # noqa: PLC0415 - the real thing does not wait for it

    stand_in = standins.for_target(target, state)
    run.output.remind(
        f"this machine plays {stand_in.cloud} at {stand_in.url}; nothing leaves it, and nothing is billed"
    )
    return Ground(stand_in.endpoints, stand_in.journals)
