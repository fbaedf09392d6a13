"""The table of all commands, and the Typer application made of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Annotated, Any, NamedTuple

import typer

from mldeploy.cli import run
from mldeploy.cli.errors import UsageError


class CommandEntry(NamedTuple):
    """A command in the table. path: `module:function` in `mldeploy.cli.commands`. summary: its line in `--help`.

    The summary is also the first line of the function's docstring. It is repeated here so that `mldeploy --help` need
    not import the modules of all commands.
    """

    path: str
    summary: str

    def load(self) -> Callable[..., None]:
        """Import the function."""
        module, _, name = self.path.partition(":")
        function: Callable[..., None] = getattr(import_module(f"mldeploy.cli.commands.{module}"), name)
        return function


PANELS: Mapping[str, Mapping[str, CommandEntry]] = {
    "Deploy": {
        "doctor": CommandEntry(
            "doctor:doctor", "Check this machine, the folder and the target, and report how to fix problems."
        ),
        "init": CommandEntry(
            "init:init", "Detect the app in the folder and write `mldeploy.toml` and `.dockerignore`."
        ),
        "plan": CommandEntry("plan:plan", "Show what `deploy` would change, and why, without changing anything."),
        "build": CommandEntry("build:build", "Build and check the app's image."),
        "check": CommandEntry(
            "check:check",
            "Start the image once with production restrictions and report what works and what does not.",
        ),
        "run-local": CommandEntry("deploy:run_local", "Run the app on this machine. Same as `deploy --target local`."),
        "login": CommandEntry("push:login", "Check registry credentials and show the account."),
        "push": CommandEntry("push:push", "Build and check the image, and push it to the target's registry."),
        "deploy": CommandEntry(
            "deploy:deploy", "Build and check the image, deploy it to the target and print the URL."
        ),
        "promote": CommandEntry(
            "promote:promote", "Deploy the image that one environment runs to another environment, without a build."
        ),
        "manifests": CommandEntry(
            "manifests:manifests",
            "Print the Kubernetes manifests of a deployment as YAML for `kubectl apply -f -`.",
        ),
        "policy": CommandEntry(
            "manifests:policy",
            "Print the least-privilege policy that mldeploy needs for this app on the target.",
        ),
        "ci": CommandEntry(
            "ci:ci",
            "Write a CI workflow that lints, tests, builds and deploys the app, for GitHub, GitLab or Azure Pipelines.",
        ),
    },
    "Use and inspect": {
        "predict": CommandEntry(
            "predict:predict", "Send a prediction request to the deployed app and print the answer."
        ),
        "open": CommandEntry(
            "status:open_url", "Print the URL of the app and open it in the browser, if there is one."
        ),
        "status": CommandEntry("status:status", "Show what is deployed and its URL."),
        "apps": CommandEntry(
            "apps:apps", "List the apps on a target, or on all targets, with URL, release, age and cost."
        ),
        "ps": CommandEntry("status:ps", "List the instances of the app, running and stopped."),
        "logs": CommandEntry("logs:logs", "Print the app's log."),
        "images": CommandEntry("images:images", "List the app's images on this machine."),
        "history": CommandEntry("releases:history", "List releases."),
        "diff": CommandEntry("diff:diff", "Compare the predictions of two versions of the app, row by row."),
        "exec": CommandEntry("exec:execute", "Run a command in an instance of the app and exit with its exit status."),
    },
    "Change": {
        "canary": CommandEntry(
            "canary:canary", "Show, promote or abort the canary: the new version beside the serving one."
        ),
        "rollback": CommandEntry(
            "releases:rollback", "Return to an earlier release without building. The next `deploy` replaces it."
        ),
        "scale": CommandEntry(
            "releases:scale",
            "Set the number of replicas. Later deploys keep it unless the configuration overrides it.",
        ),
        "keys": CommandEntry("keys:keys", "Manage the access keys of an app whose `access` is `key`."),
        "secrets": CommandEntry("secrets:secrets", "Keep secrets in the target's own store, and list or remove them."),
    },
    "Stop and remove": {
        "stop": CommandEntry("destroy:stop", "Stop the app without removing anything. `deploy` starts it again."),
        "destroy": CommandEntry(
            "destroy:destroy",
            "Remove everything that mldeploy created for the app on the target, and verify that it is gone.",
        ),
    },
    "Try without an account": {
        "rehearse": CommandEntry("rehearse:rehearse", "Manage local cloud simulators, used by `--rehearse`."),
    },
    "About": {
        "version": CommandEntry("about:version", "Print the version."),
        "help": CommandEntry("about:show_help", "Show the help of a command, or of a setting."),
    },
}
COMPLETED_SHELLS = ("bash", "zsh", "fish", "powershell", "pwsh")
"""The shells for which Typer has a completion."""
ENTRIES: Mapping[str, CommandEntry] = {name: entry for panel in PANELS.values() for name, entry in panel.items()}

INTRODUCTION = """\
Deploy a trained model from a folder to a public URL.

Start with:
  mldeploy init     Detect the app in the current folder.
  mldeploy deploy   Build the image, run it on this machine and print the URL.
  mldeploy predict  Send a prediction request to the deployed app.

`mldeploy --help` lists all commands, `mldeploy help COMMAND` explains one."""


class HelpDoc(NamedTuple):
    """The docstring of a command. paragraphs: without line breaks. examples: command lines."""

    paragraphs: tuple[str, ...]
    examples: tuple[str, ...]

    @classmethod
    def of(cls, function: Callable[..., None]) -> HelpDoc:
        """Parse a docstring whose last paragraph is `Examples:` and a command line in each further line."""
        *paragraphs, examples = (inspect.getdoc(function) or "").split("\n\n")
        assert examples.startswith("Examples:"), function  # noqa: S101 - every command has an example
        lines = examples.splitlines()[1:]
        return cls(tuple(" ".join(each.split("\n")) for each in paragraphs), tuple(line.strip() for line in lines))


class MldeployCommand(typer.core.TyperCommand):
    """A command whose flags are shown without a type."""

    def get_help_option(self, ctx: typer.Context) -> typer.core.TyperOption | None:  # type: ignore[override]
        return _hide_type(super().get_help_option(ctx))


class MldeployGroup(typer.core.TyperGroup):
    """`mldeploy` itself. Only the command that is called is loaded."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**{**attributes, "commands": CommandSummaries()})

    def resolve_command(  # type: ignore[override]  # Typer exports only a subclass of the Context that it declares
        self, ctx: typer.Context, args: list[str]
    ) -> tuple[str | None, typer.core.TyperCommand | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        return name, load_command(name) if name and command else None, rest

    def get_help_option(self, ctx: typer.Context) -> typer.core.TyperOption | None:  # type: ignore[override]
        return _hide_type(super().get_help_option(ctx))


class CommandSummaries(Mapping[str, typer.core.TyperCommand]):
    """The commands as `mldeploy --help` and the shell completion list them: name, panel and summary."""

    def __getitem__(self, name: str) -> typer.core.TyperCommand:
        for panel, entries in PANELS.items():
            if name in entries:
                return typer.core.TyperCommand(name, help=entries[name].summary, rich_help_panel=panel)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(ENTRIES)

    def __len__(self) -> int:
        return len(ENTRIES)


@cache
def load_command(name: str) -> typer.core.TyperCommand:
    """Import a command and make it a Typer command."""
    function = ENTRIES[name].load()
    doc = HelpDoc.of(function)
    single = typer.Typer(rich_markup_mode="rich", add_completion=False)
    single.command(
        name,
        cls=MldeployCommand,
        help=_escape_markup("\n\n".join(doc.paragraphs)),
        # An empty first line keeps the indentation of the others.
        epilog=_escape_markup("\n".join(("", "Examples:", *(f"  {line}" for line in doc.examples)))),
    )(run.command(function))
    command = typer.main.get_command(single)
    assert isinstance(command, typer.core.TyperCommand)  # noqa: S101 - a Typer application with a single command
    _hide_flag_types(command)
    return command


def build_group() -> typer.core.TyperGroup:
    """Make the Typer group of all commands."""
    app = typer.Typer(
        cls=MldeployGroup,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["--help", "-h"]},
    )
    app.callback(invoke_without_command=True)(root)
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)  # noqa: S101 - a Typer application with a callback
    _hide_flag_types(group)
    for parameter in group.params:
        if parameter.name in {"show_completion", "install_completion"}:
            parameter.callback = _in_a_known_shell(parameter.callback, installs=parameter.name == "install_completion")
    return group


def _in_a_known_shell(callback: Callable[..., Any] | None, *, installs: bool) -> Callable[..., Any]:
    """Show or install our script where there is one. Refuse a shell for which Typer has none, either.

    Typer would print a line and exit with 1.
    """

    def checked(context: typer.Context, parameter: typer.CallbackParam, value: bool) -> Any:
        if value and not context.resilient_parsing:
            import shellingham  # noqa: PLC0415 - only for these two options

            try:
                shell = shellingham.detect_shell()[0]
            except shellingham.ShellDetectionFailure:
                shell = "unknown shell"
            if shell not in COMPLETED_SHELLS:
                raise UsageError(shell, "has no completion", f"Run this command in {', '.join(COMPLETED_SHELLS)}.")
            from mldeploy.cli.completion.scripts import SCRIPTS, install_script  # noqa: PLC0415 - as above

            if shell in SCRIPTS:
                typer.echo(install_script(shell) if installs else SCRIPTS[shell])
                raise typer.Exit
        return callback(context, parameter, value) if callback else value

    return checked


def root(  # noqa: PLR0913, PLR0917 - all options that commands share may stand before a command, too
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", "-V", help="Print the version.")] = False,
    folder: run.Folder = None,
    json: run.Json = False,
    verbose: run.Verbose = False,
    quiet: run.Quiet = False,
    no_color: run.NoColor = False,
    trust: run.TrustOption = None,
    environment: run.EnvironmentOption = None,
) -> None:
    """Deploy a trained model from a folder to a public URL.

    `mldeploy deploy` in the app's folder builds the image, runs it on this machine and prints the URL.
    """
    state = run.shared(context, folder, json, verbose, quiet, no_color, trust, environment)
    if version:
        from mldeploy.cli.commands import about  # noqa: PLC0415 - not needed for `--help`

        about.version(run.CommandRun("version", state.given.folder, state.output))
        raise typer.Exit
    if context.invoked_subcommand is not None:
        return
    if state.given != run.SharedOptions():
        raise UsageError("mldeploy", "no command was given", "Run `mldeploy --help` for a list of commands.")
    typer.echo(INTRODUCTION)


def _hide_flag_types(command: typer.core.TyperCommand | typer.core.TyperGroup) -> None:
    for parameter in command.params:
        if isinstance(parameter, typer.core.TyperOption) and parameter.is_flag:
            _hide_type(parameter)


def _hide_type(option: typer.core.TyperOption | None) -> typer.core.TyperOption | None:
    """A flag takes no value, so `<bool>` in its help would mislead."""
    if option is not None:
        option.metavar = ""
    return option


def _escape_markup(text: str) -> str:
    """Rich reads `[check]` as a style."""
    return text.replace("[", r"\[")
