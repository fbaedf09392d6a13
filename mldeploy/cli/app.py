"""The Typer application: every command, in the order and under the headings of `mldeploy --help`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated

import typer

from mldeploy.cli import commands, run
from mldeploy.cli.errors import UsageError

PANELS: Mapping[str, Mapping[str, Callable[..., None]]] = {
    "From a folder to a URL": {
        "doctor": commands.doctor,
        "init": commands.init,
        "plan": commands.plan,
        "policy": commands.policy,
        "build": commands.build,
        "check": commands.check,
        "run-local": commands.run_local,
        "login": commands.login,
        "push": commands.push,
        "deploy": commands.deploy,
    },
    "What runs": {
        "predict": commands.predict,
        "open": commands.open_url,
        "status": commands.status,
        "ps": commands.ps,
        "logs": commands.logs,
        "images": commands.images,
        "history": commands.history,
    },
    "Change what runs": {"rollback": commands.rollback, "scale": commands.scale},
    "Stop and remove": {"stop": commands.stop, "destroy": commands.destroy},
    "Without an account": {"rehearse": commands.rehearse},
    "About": {"version": commands.version},
}


def build_app() -> typer.Typer:
    """Put the commands together."""
    app = typer.Typer(rich_markup_mode="rich", pretty_exceptions_enable=False)
    app.callback(invoke_without_command=True)(root)
    for panel, faces in PANELS.items():
        for name, face in faces.items():
            app.command(name, rich_help_panel=panel)(run.command(face))
    return app


def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    folder: run.Folder = None,
    json: run.Json = False,
    verbose: run.Verbose = False,
    quiet: run.Quiet = False,
    no_color: run.NoColor = False,
) -> None:
    """From a trained model in a folder to a public URL that answers predictions.

    `mldeploy deploy` in the app's folder builds its image, runs it on this machine and prints where it answers.
    """
    front = run.shared(context, folder, json, verbose, quiet, no_color)
    if version:
        commands.version(run.Run("version", front.given.folder, front.output))
        raise typer.Exit
    if context.invoked_subcommand is not None:
        return
    if front.given != run.Shared():
        raise UsageError("mldeploy", "no command was given", "`mldeploy --help` lists the commands.")
    typer.echo(context.get_help())
