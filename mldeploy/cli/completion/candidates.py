"""The commands, options and values that may stand at the cursor of a command line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

import typer

from mldeploy.cli.app import ENTRIES, build_group, load_command
from mldeploy.cli.completion.typed_line import TypedLine

PROGRAM = "mldeploy"
NAMED = frozenset(
    {"target", "app", "builder", "cluster_context", "instance", "region", "profile", "revision", "environment"}
)
"""Parameters whose value is never a file."""
MOST = 1000
LONGEST = 512


@dataclass(frozen=True)
class ShellCandidate:
    """A completion. help: its description, in one line."""

    value: str
    help: str = ""


@dataclass(frozen=True)
class Completions:
    """option: the `--option=` before the value in the same word. may_be_file: the shell may offer files instead."""

    candidates: tuple[ShellCandidate, ...] = ()
    may_be_file: bool = True
    option: str = ""


@dataclass(frozen=True)
class _ParsedWords:
    """command, context: of the words before the cursor. words: those that the command gets."""

    command: typer.core.TyperGroup | typer.core.TyperCommand
    context: typer.Context
    words: Sequence[str]

    @property
    def parameters(self) -> Sequence[typer.core.TyperOption | typer.core.TyperArgument]:
        kinds = (typer.core.TyperOption, typer.core.TyperArgument)
        return [each for each in self.command.params if isinstance(each, kinds)]

    def open_option(self) -> typer.core.TyperOption | None:
        """Return the option whose value the cursor is at."""
        last = self.words[-1] if self.words and "--" not in self.words else ""
        return next((each for each in _valued(self.command) if last in each.opts), None)

    def open_argument(self) -> typer.core.TyperArgument | None:
        """Return the first argument that has no value yet."""
        for each in self.parameters:
            source = self.context.get_parameter_source(each.name or "")
            is_given = source is not None and source.name == "COMMANDLINE"
            if isinstance(each, typer.core.TyperArgument) and (each.nargs == -1 or not is_given):
                return each
        return None


def find_completions(line: TypedLine) -> Completions:
    """Return what may stand at the cursor. Raises what a damaged installation raises."""
    words, current, option = list(line.words[1:]), line.current, ""
    is_flag = current.startswith("-") and "--" not in words
    if is_flag and current.startswith("--") and "=" in current:
        name, _, current = current.partition("=")
        words, option, is_flag = [*words, name], f"{name}=", False
    parsed = _parse_words(words)
    if parsed is None:
        return Completions(option=option)
    parameter = None if is_flag else parsed.open_option() or (None if option else parsed.open_argument())
    source = parsed.command if is_flag or (parameter is None and not option) else parameter
    items = source.shell_complete(parsed.context, current) if source else []
    values = ((str(each.value), each.help or "") for each in items if each.type == "plain")
    candidates = _usable((ShellCandidate(value, _summary(parsed, value) or text) for value, text in values), current)
    return Completions(candidates, parameter is None or parameter.name not in NAMED, option)


def _summary(parsed: _ParsedWords, value: str) -> str:
    """Return the summary of a command, which Typer shortens; "" for anything else."""
    is_group = isinstance(parsed.command, typer.core.TyperGroup)
    return ENTRIES[value].summary if is_group and value in ENTRIES else ""


def _parse_words(words: Sequence[str]) -> _ParsedWords | None:
    """Parse complete words; None if they name an unknown command."""
    group = build_group()
    at = _command_position(group, words)
    context = group.make_context(PROGRAM, list(words[:at]), resilient_parsing=True)
    if at >= len(words):
        return _ParsedWords(group, cast("typer.Context", context), words)
    name, rest = words[at], words[at + 1 :]
    if name not in ENTRIES:
        return None
    command = load_command(name)
    inner = command.make_context(name, list(rest), parent=context, resilient_parsing=True)
    return _ParsedWords(command, cast("typer.Context", inner), rest)


def _command_position(group: typer.core.TyperGroup, words: Sequence[str]) -> int:
    """Return the index of the command's name; the number of words if there is none."""
    valued = {name for option in _valued(group) for name in option.opts}
    at = 0
    while at < len(words) and words[at].startswith("-"):
        at += 2 if words[at] in valued else 1
    return min(at, len(words))


def _valued(command: typer.core.TyperGroup | typer.core.TyperCommand) -> Sequence[typer.core.TyperOption]:
    """Return the options that take a value."""
    return [each for each in command.params if isinstance(each, typer.core.TyperOption) and not each.is_flag]


def _usable(candidates: Iterable[ShellCandidate], typed: str) -> tuple[ShellCandidate, ...]:
    """Return the candidates that can be offered: a control character of a foreign name must not reach the terminal."""
    usable: dict[str, ShellCandidate] = {}
    for each in candidates:
        is_clean = each.value.isprintable() and 0 < len(each.value) <= LONGEST
        is_option = each.value.startswith("-") and not typed.startswith("-")
        if is_clean and not is_option and each.value.startswith(typed):
            usable.setdefault(each.value, ShellCandidate(each.value, _one_line(each.help)))
    return tuple(usable.values())[:MOST]


def _one_line(text: str) -> str:
    return "".join(each for each in " ".join(text.split()) if each.isprintable())
