"""The commands for what runs: to ask it, to look at it, to change it, to end it."""

# ruff: noqa: PLC0415 - what does the work is loaded once the command is known

from __future__ import annotations

from typing import Annotated

import typer

from mldeploy.cli import options
from mldeploy.cli.run import Run


def predict(
    run: Run,
    target: options.Target = options.DEFAULT_TARGET,
    data: Annotated[
        str | None,
        typer.Option("--data", "-d", metavar="JSON", help="JSON to send, @FILE to read it from, - for standard input."),
    ] = None,
    csv: Annotated[
        str | None,
        typer.Option("--csv", metavar="FILE", help="Rows to send, with their columns' names in the first line."),
    ] = None,
    field: Annotated[
        list[str] | None,
        typer.Option("--field", "-f", metavar="NAME=VALUE", help="One field of one row; repeat it for each."),
    ] = None,
) -> None:
    """Ask what is deployed for a prediction.

    Takes JSON, a CSV file or single fields; with none of them it sends the golden row's request. An app that takes no
    table (`app.predict_table`) gets the rows of a CSV file one after the other.
    """
    from mldeploy.cli.payload import Input
    from mldeploy.cli.work import predicting

    predicting.predict(run, target, Input(data, csv, tuple(field or ())))


def open_url(run: Run, target: options.Target = options.DEFAULT_TARGET) -> None:
    """Print where the app answers, and open it in the browser if there is one."""
    from mldeploy.cli.work import operating

    operating.open_url(run, target)


def status(run: Run, target: options.Target = options.DEFAULT_TARGET) -> None:
    """Say what is there of a deployment, step by step, and where it answers."""
    from mldeploy.cli.work import looking

    looking.status(run, target)


def ps(run: Run, target: options.Target = options.DEFAULT_TARGET) -> None:
    """List the running and stopped copies of the app."""
    from mldeploy.cli.work import operating

    operating.ps(run, target)


def logs(
    run: Run,
    target: options.Target = options.DEFAULT_TARGET,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for more, until Ctrl-C.")] = False,
    tail: Annotated[int, typer.Option("--tail", "-n", metavar="N", min=0, help="The last N lines; 0: all.")] = 100,
) -> None:
    """Print what the app writes to its log."""
    from mldeploy.cli.work import operating

    operating.logs(run, target, follow=follow, tail=tail)


def images(
    run: Run,
    prune: Annotated[
        int | None,
        typer.Option(
            "--prune", metavar="N", min=0, help="Remove all but the last N, and those in use.", show_default=False
        ),
    ] = None,
) -> None:
    """List the app's images on this machine's engine."""
    from mldeploy.cli.work import images as work

    work.images(run, prune)


def history(run: Run, target: options.Target = options.DEFAULT_TARGET) -> None:
    """List the versions that were brought to the target: which one serves, which ones failed."""
    from mldeploy.cli.work import releasing

    releasing.history(run, target)


def execute(
    run: Run,
    command: Annotated[list[str], typer.Argument(metavar="-- COMMAND…", help="The command, and its own words.")],
    target: options.Target = options.DEFAULT_TARGET,
    instance: Annotated[
        str, typer.Option("--instance", metavar="NAME", help="Which copy, as `ps` names it.", show_default=False)
    ] = "",
    stdin: Annotated[bool, typer.Option("--stdin", "-i", help="Give it this command's standard input.")] = False,
) -> None:
    """Run a command in a copy of the app, pass on what it writes, and end with its exit status.

    `mldeploy exec -t kubernetes -- python -c "import sklearn; print(sklearn.__version__)"`. It is a program that is
    started, no terminal: editors and shells have no prompt there.
    """
    from mldeploy.cli.work import executing

    executing.execute(run, target, command, instance, stdin=stdin)


def rollback(
    run: Run,
    target: options.Target = options.DEFAULT_TARGET,
    revision: Annotated[
        str | None,
        typer.Argument(metavar="[REVISION]", help="Its name in `history`; the one before if none.", show_default=False),
    ] = None,
) -> None:
    """Bring an earlier version back, without building anything. The next `deploy` goes forward again."""
    from mldeploy.cli.work import releasing

    releasing.rollback(run, target, revision)


def scale(
    run: Run,
    count: Annotated[int, typer.Argument(metavar="N", min=1, help="How many copies are to run.")],
    target: options.Target = options.DEFAULT_TARGET,
) -> None:
    """Run so many copies of the app. Deployments keep that number, unless the configuration says another one."""
    from mldeploy.cli.work import releasing

    releasing.scale(run, target, count)


def stop(run: Run, target: options.Target = options.DEFAULT_TARGET) -> None:
    """Stop the app without removing anything; `deploy` starts it again."""
    from mldeploy.cli.work import operating

    operating.stop(run, target)


def destroy(
    run: Run,
    target: options.Target = options.DEFAULT_TARGET,
    app: Annotated[
        str | None,
        typer.Option("--app", metavar="NAME", help="The app to remove, whatever the folder says.", show_default=False),
    ] = None,
    keep_images: Annotated[
        bool, typer.Option("--keep-images", help="Leave the app's images, and the repository that holds them.")
    ] = False,
    yes: options.Yes = False,
) -> None:
    """Remove everything that mldeploy made for the app on the target, and make sure that it is gone."""
    from mldeploy.cli.work import destroying

    destroying.destroy(run, target, app, keep_images=keep_images, yes=yes)
