"""What every command is given, and the options that every command has."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mldeploy.cli.options import DEFAULT_TARGET, given
from mldeploy.ui.output import Manner, Output

if TYPE_CHECKING:
    from mldeploy.config.override import Overrides

PANEL = "Every command"

Folder = Annotated[
    str | None,
    typer.Option(
        "--project",
        "-C",
        metavar="DIR",
        help="The app's folder, or a git repository (URL#REF:FOLDER); the current folder if not given.",
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


Profile = Annotated[
    str | None,
    typer.Option(
        "--profile",
        metavar="NAME",
        help="The account's profile, of those that the cloud's own tools have; the usual one if not given.",
        show_default=False,
    ),
]
Region = Annotated[
    str | None,
    typer.Option(
        "--region", metavar="NAME", help="The cloud's region; the profile's if not given.", show_default=False
    ),
]


Context = Annotated[
    str | None,
    typer.Option(
        "--context",
        metavar="NAME",
        help="The kubeconfig's context, for a target in a cluster; the current one if not given.",
        show_default=False,
    ),
]


Rehearse = Annotated[
    bool,
    typer.Option("--rehearse", help="Do it on this machine, against a stand-in for the cloud: no account, no bill."),
]


@dataclass(frozen=True)
class Shared:
    """The options that may stand before a command's name, after it, or both."""

    folder: str | None = None
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
    """One command: its name, where the app is, how to speak, and in whose account it works.

    given: the folder, or the address of a repository; then `clone` is where that has been brought to. profile, region,
    cluster_context: what the flags say over the target's settings. rehearse: a stand-in on this machine is the account.
    """

    name: str
    given: str | None
    output: Output
    profile: str | None = None
    region: str | None = None
    cluster_context: str | None = None
    rehearse: bool = False
    clone: Path | None = None

    @property
    def folder(self) -> Path:
        return self.clone or Path(self.given or "")

    def commands(self, target: str) -> Callable[[str], str]:
        """Makes words into a line to type for this project and target: `mldeploy -C example_app predict -t fargate`."""
        place = f" -C {shlex.quote(self.given)}" if self.given else ""
        on = "" if target == DEFAULT_TARGET else f" -t {target}"
        account = "".join(f" {flag} {shlex.quote(value)}" for _, value, flag in self._account if value is not None)
        rehearsed = " --rehearse" if self.rehearse else ""
        return lambda words: f"mldeploy{place} {words}{on}{account}{rehearsed}"

    def account(self, target: str) -> Overrides:
        """What the flags say of the account to work in."""
        return given(*((f"target.{target}.{key}", value, flag) for key, value, flag in self._account))

    @property
    def _account(self) -> tuple[tuple[str, str | None, str], ...]:
        return (
            ("profile", self.profile, "--profile"),
            ("region", self.region, "--region"),
            ("context", self.cluster_context, "--context"),
        )


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
    """Make a function that takes a Run into one that Typer reads: its own options, then those that all share.

    One that takes a target takes an account, too, without having to say so.
    """
    own = list(inspect.signature(body, eval_str=True).parameters.values())[1:]
    account = _ACCOUNT if any(each.name == "target" for each in own) else ()

    def entry(**values: object) -> None:
        front = shared(**{each.name: values.pop(each.name) for each in _COMMON})  # type: ignore[arg-type]
        place = {each.name: values.pop(each.name) for each in account}
        if place.get("rehearse"):
            front.output = front.output.speaking(replace(front.output.manner, rehearsal=True))
        run = Run(front.command, front.given.folder, front.output, **place)  # type: ignore[arg-type]
        body(replace(run, clone=_clone(run)), **values)

    parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in (*own, *account, *_COMMON)]
    entry.__name__, entry.__doc__ = body.__name__, body.__doc__
    entry.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # inspect.signature looks there
    entry.__annotations__ = {each.name: each.annotation for each in parameters}
    return entry


def _clone(run: Run) -> Path | None:
    """Where a repository has been brought to, if one is named instead of a folder."""
    if not run.given or ":" not in run.given:
        return None
    from mldeploy.config.paths import cache_folder  # noqa: PLC0415 - most projects are in a folder
    from mldeploy.project.repository import Address, checked_out  # noqa: PLC0415

    address = Address.of(run.given)
    if address is None:
        return None
    run.output.say(f"Fetching {address.url} …")
    return checked_out(address, cache_folder() / "repositories")


def _account(
    profile: Profile = None, region: Region = None, cluster_context: Context = None, rehearse: Rehearse = False
) -> None:
    """The options that come with a target."""


_ACCOUNT = tuple(inspect.signature(_account, eval_str=True).parameters.values())
_COMMON = tuple(inspect.signature(shared, eval_str=True).parameters.values())
