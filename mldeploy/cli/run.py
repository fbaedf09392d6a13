"""The options of every command, and the object that a command gets from them."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mldeploy.cli.options import DEFAULT_TARGET, completed_by, given
from mldeploy.core.errors import RefusedError
from mldeploy.ui.output import Output, OutputMode

if TYPE_CHECKING:
    from mldeploy.config.override import Overrides

PANEL = "Global options"

Folder = Annotated[
    str | None,
    typer.Option(
        "--project",
        "-C",
        metavar="DIR",
        help="App folder or git repository (URL#REF:FOLDER). Default: the current folder.",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.", rich_help_panel=PANEL)]
Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose", "-v", help="Write more to the log file and show its path on errors.", rich_help_panel=PANEL
    ),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print the result only, without progress.", rich_help_panel=PANEL)
]
NoColor = Annotated[
    bool, typer.Option("--no-color", help="Disable colors, like the variable NO_COLOR.", rich_help_panel=PANEL)
]


TrustOption = Annotated[
    bool | None,
    typer.Option(
        "--trust/--no-trust",
        help="Trust the repository that -C names by URL: its configuration may read files and variables of this "
        "machine. Remembered for the URL.",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]


EnvironmentOption = Annotated[
    str | None,
    typer.Option(
        "--env",
        metavar="NAME",
        help="Environment of the configuration. Default: MLDEPLOY_ENV, else none.",
        rich_help_panel=PANEL,
        show_default=False,
        autocompletion=completed_by("--env"),
    ),
]


Profile = Annotated[
    str | None,
    typer.Option(
        "--profile",
        metavar="NAME",
        help="Cloud CLI profile. Default: the active one.",
        show_default=False,
        autocompletion=completed_by("--profile"),
    ),
]
Region = Annotated[
    str | None,
    typer.Option(
        "--region",
        metavar="NAME",
        help="Cloud region. Default: the region of the profile.",
        show_default=False,
        autocompletion=completed_by("--region"),
    ),
]


Context = Annotated[
    str | None,
    typer.Option(
        "--context",
        metavar="NAME",
        help="kubeconfig context. Default: the current one.",
        show_default=False,
        autocompletion=completed_by("--context"),
    ),
]


Rehearse = Annotated[
    bool,
    typer.Option("--rehearse", help="Use a local cloud simulator: no account, no costs."),
]


@dataclass(frozen=True)
class SharedOptions:
    """The options that may stand before a command's name, after it, or both."""

    folder: str | None = None
    json: bool = False
    verbose: bool = False
    quiet: bool = False
    no_color: bool = False
    trust: bool | None = None
    environment: str | None = None

    def after(self, before: SharedOptions) -> SharedOptions:
        """Merge two sets of options; of two folders the later one wins."""
        return SharedOptions(
            self.folder or before.folder,
            self.json or before.json,
            self.verbose or before.verbose,
            self.quiet or before.quiet,
            self.no_color or before.no_color,
            before.trust if self.trust is None else self.trust,
            before.environment if self.environment is None else self.environment,
        )


@dataclass
class CommandState:
    """The state of a command line, for the error handler.

    guess: the output mode according to a command line that has not been parsed. command: the name of the command.
    given: the shared options that were given.
    """

    output: Output
    guess: OutputMode
    command: str = ""
    given: SharedOptions = field(default_factory=SharedOptions)


@dataclass(frozen=True)
class CommandRun:
    """A command with its shared options.

    given: the value of `-C`. clone: the local clone, if that is the address of a repository. profile, region,
    cluster_context: override settings of the target. rehearse: use a local cloud simulator. environment: the value of
    `--env`.
    """

    name: str
    given: str | None
    output: Output
    profile: str | None = None
    region: str | None = None
    cluster_context: str | None = None
    rehearse: bool = False
    clone: Path | None = None
    environment: str | None = None

    @property
    def folder(self) -> Path:
        return self.clone or Path(self.given or "")

    def commands(self, target: str) -> Callable[[str], str]:
        """Return a function that completes a command for this app: `mldeploy -C example_app predict -t fargate`."""
        folder = f" -C {shlex.quote(self.given)}" if self.given else ""
        environment = f" --env {shlex.quote(self.environment)}" if self.environment else ""
        on = environment + ("" if target == DEFAULT_TARGET else f" -t {target}")
        account = "".join(f" {flag} {shlex.quote(value)}" for _, value, flag in self._account if value is not None)
        rehearsed = " --rehearse" if self.rehearse else ""
        return lambda words: f"mldeploy{folder} {words}{on}{account}{rehearsed}"

    def account(self, target: str) -> Overrides:
        """Return the target settings that the account options override."""
        return given(*((f"target.{target}.{key}", value, flag) for key, value, flag in self._account))

    @property
    def selection(self) -> Overrides:
        """Return the override that chooses the environment; none without `--env`."""
        from mldeploy.config.environments import environment_override  # noqa: PLC0415 - `--help` needs no configuration

        return environment_override(self.environment)

    @property
    def _account(self) -> tuple[tuple[str, str | None, str], ...]:
        return (
            ("profile", self.profile, "--profile"),
            ("region", self.region, "--region"),
            ("context", self.cluster_context, "--context"),
        )


def shared(  # noqa: PLR0913, PLR0917 - one parameter per option
    context: typer.Context,
    folder: Folder = None,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
    trust: TrustOption = None,
    environment: EnvironmentOption = None,
) -> CommandState:
    """Merge the shared options of both positions, and apply the output mode."""
    state = context.ensure_object(CommandState)
    state.given = given = SharedOptions(folder, json, verbose, quiet, no_color, trust, environment).after(state.given)
    # An error before a flag after the command's name is parsed is printed in the mode of that flag.
    early = state.guess
    state.output = state.output.with_mode(
        OutputMode(
            given.json or early.json, given.quiet, given.verbose or early.verbose, early.color and not given.no_color
        )
    )
    state.command = context.info_name or ""
    return state


def command(body: Callable[..., None]) -> Callable[..., None]:
    """Turn a function that takes a CommandRun into one for Typer, with its own options and those of every command.

    A function with the parameter `target` also gets the account options. One with the parameter `context` gets the
    Typer context.
    """
    own = list(inspect.signature(body, eval_str=True).parameters.values())[1:]
    account = _ACCOUNT if any(each.name == "target" for each in own) else ()
    needs_context = any(each.name == "context" for each in own)
    own = [each for each in own if each.name != "context"]

    def entry(**values: object) -> None:
        context = {"context": values["context"]} if needs_context else {}
        state = shared(**{each.name: values.pop(each.name) for each in _COMMON})  # type: ignore[arg-type]
        account_values = {each.name: values.pop(each.name) for each in account}
        if account_values.get("rehearse"):
            state.output = state.output.with_mode(replace(state.output.mode, rehearsal=True))
        run = CommandRun(state.command, state.given.folder, state.output, **account_values)  # type: ignore[arg-type]
        run = replace(run, environment=_environment(run, state.given))
        body(replace(run, clone=_clone(run, state.given.trust)), **values, **context)

    parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in (*own, *account, *_COMMON)]
    entry.__name__, entry.__doc__ = body.__name__, body.__doc__
    entry.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # inspect.signature reads it
    entry.__annotations__ = {each.name: each.annotation for each in parameters}
    return entry


_WITHOUT_ENVIRONMENT = frozenset({"init", "promote", "apps", "rehearse", "version", "help"})
"""Commands that work on no app, on all, or name the environments themselves."""


def _environment(run: CommandRun, given: SharedOptions) -> str | None:
    """Return the value of `--env`. Raises RefusedError for a command without an environment."""
    if given.environment is not None and run.name in _WITHOUT_ENVIRONMENT:
        raise RefusedError("--env", f"does not apply to `mldeploy {run.name}`", "Leave it out.")
    return given.environment


def _clone(run: CommandRun, trust: bool | None) -> Path | None:
    """Clone the repository that `-C` names, and return the folder; None if `-C` is a folder. trust: the flag's value.

    Raises ProjectError, StateError; RefusedError if there is no repository to trust.
    """
    if trust is None and (not run.given or ":" not in run.given):
        return None
    from mldeploy.config.trusted import clones_folder, is_trusted, set_trust  # noqa: PLC0415 - only for a repository
    from mldeploy.project.repository import ProjectUrl, check_out  # noqa: PLC0415

    address = ProjectUrl.of(run.given or "")
    if address is None:
        _refuse_trust(trust)
        return None
    run.output.info(f"Fetching {address.url} …")
    if trust is not None:
        set_trust(address.url, trusted=trust)
    return check_out(address, clones_folder(), trusted=is_trusted(address.url))


def _refuse_trust(trust: bool | None) -> None:
    if trust is not None:
        flag = "--trust" if trust else "--no-trust"
        raise RefusedError(flag, "needs a repository URL in -C", "Leave it out: your own folder needs no trust.")


def _account(
    profile: Profile = None, region: Region = None, cluster_context: Context = None, rehearse: Rehearse = False
) -> None:
    """Declare the options of commands with a target."""


_ACCOUNT = tuple(inspect.signature(_account, eval_str=True).parameters.values())
_COMMON = tuple(inspect.signature(shared, eval_str=True).parameters.values())
