"""What every command is given, and the options that every command has."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from mldeploy.cli.options import DEFAULT_TARGET
from mldeploy.ui.output import Manner, Output

PANEL = "Every command"

Folder = Annotated[
    Path | None,
    typer.Option(
        "--project",
        "-C",
        metavar="DIR",
        help="The app's folder; the current one if not given.",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on stdout; talk goes to stderr.", rich_help_panel=PANEL)
]
Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose", "-v", help="Write more to the log file, and name it after an error.", rich_help_panel=PANEL
    ),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print the result alone, no progress.", rich_help_panel=PANEL)
]
NoColor = Annotated[
    bool, typer.Option("--no-color", help="No colours; setting NO_COLOR does the same.", rich_help_panel=PANEL)
]


@dataclass(frozen=True)
class Shared:
    """The options that may stand before a command's name, after it, or both."""

    folder: Path | None = None
    json: bool = False
    verbose: bool = False
    quiet: bool = False
    no_color: bool = False

    def after(self, before: Shared) -> Shared:
        """Both together; of two folders the later one holds."""
        return Shared(
            self.folder or before.folder,
            self.json or before.json,
            self.verbose or before.verbose,
            self.quiet or before.quiet,
            self.no_color or before.no_color,
        )


@dataclass
class Front:
    """What the one error handler knows of a command: how to speak, and what was called.

    guess: how to speak as far as it can be told from a command line that has not been parsed.
    """

    output: Output
    guess: Manner
    command: str = ""
    given: Shared = field(default_factory=Shared)


@dataclass(frozen=True)
class Run:
    """One command: its name, where the app is, how to speak."""

    name: str
    given: Path | None
    output: Output

    @property
    def folder(self) -> Path:
        return self.given or Path()

    def commands(self, target: str) -> Callable[[str], str]:
        """Makes words into a line to type for this project and target: `mldeploy -C example_app predict -t fargate`."""
        place = f" -C {shlex.quote(str(self.given))}" if self.given else ""
        on = "" if target == DEFAULT_TARGET else f" -t {target}"
        return lambda words: f"mldeploy{place} {words}{on}"


def shared(
    context: typer.Context,
    folder: Folder = None,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> Front:
    """Take the shared options from where they stand, and speak as they say from now on."""
    front = context.ensure_object(Front)
    front.given = given = Shared(folder, json, verbose, quiet, no_color).after(front.given)
    # A flag after the command's name counts before it has been parsed: what is wrong before it is said as it asks.
    early = front.guess
    front.output = front.output.speaking(
        Manner(
            given.json or early.json, given.quiet, given.verbose or early.verbose, early.color and not given.no_color
        )
    )
    front.command = context.info_name or ""
    return front


def command(body: Callable[..., None]) -> Callable[..., None]:
    """Make a function that takes a Run into one that Typer reads: its own options, then those that all share."""
    own = list(inspect.signature(body, eval_str=True).parameters.values())[1:]

    def entry(**values: object) -> None:
        front = shared(**{each.name: values.pop(each.name) for each in _COMMON})  # type: ignore[arg-type]
        body(Run(front.command, front.given.folder, front.output), **values)

    parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in (*own, *_COMMON)]
    entry.__name__, entry.__doc__ = body.__name__, body.__doc__
    entry.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # inspect.signature looks there
    entry.__annotations__ = {each.name: each.annotation for each in parameters}
    return entry


_COMMON = tuple(inspect.signature(shared, eval_str=True).parameters.values())
