"""The Typer application: every command, in the order and under the headings of `mldeploy --help`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Annotated, Any

import typer

from mldeploy.cli import run
from mldeploy.cli.commands import aside, deploying, running
from mldeploy.cli.errors import UsageError

PANELS: Mapping[str, Mapping[str, Callable[..., None]]] = {
    "From a folder to a URL": {
        "doctor": deploying.doctor,
        "init": deploying.init,
        "plan": deploying.plan,
        "manifests": deploying.manifests,
        "policy": deploying.policy,
        "build": deploying.build,
        "check": deploying.check,
        "run-local": deploying.run_local,
        "login": deploying.login,
        "push": deploying.push,
        "deploy": deploying.deploy,
        "ci": deploying.ci,
    },
    "What runs": {
        "predict": running.predict,
        "open": running.open_url,
        "status": running.status,
        "ps": running.ps,
        "logs": running.logs,
        "images": running.images,
        "history": running.history,
        "exec": running.execute,
    },
    "Change what runs": {"rollback": running.rollback, "scale": running.scale},
    "Stop and remove": {"stop": running.stop, "destroy": running.destroy},
    "Without an account": {"rehearse": aside.rehearse},
    "About": {"version": aside.version},
}


class Commands(Mapping[str, typer.core.TyperCommand]):
    """Every command by its name, made when it is asked for: a command line needs one, and only `--help` all of them."""

    def __getitem__(self, name: str) -> typer.core.TyperCommand:
        return _made(name)

    def __iter__(self) -> Iterator[str]:
        return (name for faces in PANELS.values() for name in faces)

    def __len__(self) -> int:
        return sum(map(len, PANELS.values()))


@cache
def _made(name: str) -> typer.core.TyperCommand:
    for panel, faces in PANELS.items():
        if name in faces:
            alone = typer.Typer(rich_markup_mode="rich", add_completion=False)
            alone.command(name, rich_help_panel=panel)(run.command(faces[name]))
            command = typer.main.get_command(alone)
            assert isinstance(command, typer.core.TyperCommand)  # noqa: S101 - an application of one command is one
            return command
    raise KeyError(name)


class Group(typer.core.TyperGroup):
    """`mldeploy` itself."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**{**attributes, "commands": Commands()})


def build_app() -> typer.Typer:
    """Put the commands together."""
    app = typer.Typer(cls=Group, rich_markup_mode="rich", pretty_exceptions_enable=False)
    app.callback(invoke_without_command=True)(root)
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
        aside.version(run.Run("version", front.given.folder, front.output))
        raise typer.Exit
    if context.invoked_subcommand is not None:
        return
    if front.given != run.Shared():
        raise UsageError("mldeploy", "no command was given", "`mldeploy --help` lists the commands.")
    typer.echo(context.get_help())
