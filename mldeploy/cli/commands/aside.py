"""The commands that need no app."""

# ruff: noqa: PLC0415 - what does the work is loaded once the command is known

from __future__ import annotations

from typing import Annotated

import typer

from mldeploy.cli import options
from mldeploy.cli.run import Run


def rehearse(
    run: Run,
    action: Annotated[
        options.Rehearsed, typer.Argument(metavar="up|down|status", help="Start it, end it, or say what it holds.")
    ],
    cloud: Annotated[
        str | None,
        typer.Argument(
            metavar="[CLOUD]",
            help="Which: `aws`, `azure`, `dockerhub`, `gcp`, `kubernetes`; all if none.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Keep stand-ins for the clouds on this machine, against which every command with `--rehearse` works.

    They hold repositories, run what is deployed as containers on the Docker Engine, and refuse what a cloud would
    refuse. `down` removes their containers, images, processes and files; nothing of a rehearsal is left then.
    """
    from mldeploy.cli.work import rehearsing

    rehearsing.rehearse(run, action, cloud)


def version(run: Run) -> None:
    """Print the version."""
    from mldeploy.cli.work import about

    about.version(run)
