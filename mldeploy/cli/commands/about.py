"""`mldeploy version` and `mldeploy help`."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from typing import Annotated

import typer

from mldeploy import __version__
from mldeploy.cli.errors import UsageError
from mldeploy.cli.run import CommandRun
from mldeploy.ui.documents import Document, TextDocument

CONFIG = "config"
"""What `help` explains besides commands."""


@dataclass(frozen=True)
class VersionDocument(Document):
    """`version`."""

    version: Annotated[str, "version of mldeploy"]
    python: Annotated[str, "version of the Python that runs it"]


def version(run: CommandRun) -> None:
    """Print the version.

    Examples:
        mldeploy version
        mldeploy version --json
    """
    document = VersionDocument(version=__version__, python=platform.python_version())
    run.output.result(document, lambda page: page.line(f"mldeploy {document.version}"))


def _command_names() -> list[str]:
    from mldeploy.cli.app import ENTRIES  # noqa: PLC0415 - `app` imports this module

    return [*ENTRIES, CONFIG]


def show_help(
    run: CommandRun,
    context: typer.Context,
    command: Annotated[
        str | None,
        typer.Argument(
            metavar="[COMMAND]",
            help="Command to explain, or config for the settings. Default: list all commands.",
            show_default=False,
            autocompletion=_command_names,
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Argument(
            metavar="[KEY]", help="With config: table or key to explain. Default: list them.", show_default=False
        ),
    ] = None,
) -> None:
    """Show the help of a command, or of a setting.

    Examples:
        mldeploy help
        mldeploy help deploy
        mldeploy help config app.port
    """
    if command == CONFIG:
        from mldeploy.cli.config_help import explain_config  # noqa: PLC0415 - imports the configuration

        document = TextDocument(explain_config(key))
        run.output.result(document, lambda page: page.line(document.text))
        return
    if key is not None:
        raise UsageError("help", f"unexpected argument {key!r}", "Only `mldeploy help config` takes a key.")
    group = context.find_root()
    assert isinstance(group.command, typer.core.TyperGroup)  # noqa: S101 - mldeploy has several commands
    words = [command, "--help"] if command else ["--help"]
    name, explained, _ = group.command.resolve_command(group, words) if command else (None, group.command, [])
    assert explained is not None  # noqa: S101 - resolve_command raises for an unknown name
    with explained.make_context(name or group.info_name, ["--help"], parent=group if command else None):
        pass  # `--help` prints and exits
