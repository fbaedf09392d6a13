"""How each shell asks for completions, and the syntax of the answer.

The variables are those of Typer's scripts: a script that an earlier mldeploy installed keeps working.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from mldeploy.cli.completion.candidates import Completions, ShellCandidate
from mldeploy.cli.completion.typed_line import TypedLine, parse_line

NO_FILES = 3
"""The exit code for: there is nothing to complete, and a file would be wrong. Our scripts for bash and fish read it."""
_BREAKS = "\"'@><=;|&(:"
"""The default COMP_WORDBREAKS of bash, without white space."""


class Answer(NamedTuple):
    """What is written to the shell. code: the exit code."""

    text: str
    code: int = 0


class ShellProtocol(NamedTuple):
    """read: parse the typed line from the environment. write: put the completions into the shell's syntax."""

    read: Callable[[Mapping[str, str]], TypedLine]
    write: Callable[[TypedLine, Completions, Mapping[str, str]], Answer]


# bash -----------------------------------------------------------------------------------------------------------------


def _read_bash(environment: Mapping[str, str]) -> TypedLine:
    breaks = environment.get("_MLDEPLOY_BREAKS", _BREAKS)
    line = environment.get("_MLDEPLOY_LINE")
    return parse_line(_join_words(environment) if line is None else line, breaks)


def _join_words(environment: Mapping[str, str]) -> str:
    """Return the line of Typer's script, which passes the words that bash has split also at colons."""
    words = environment.get("COMP_WORDS", "").split("\n")
    if len(words) == 1:
        return words[0]
    line, joined = "", True
    for word in words[: int(environment.get("COMP_CWORD", len(words))) + 1]:
        is_break = bool(word) and all(character in ":=@" for character in word)
        line += word if joined or is_break else f" {word}"
        joined = is_break
    return line


def _write_bash(line: TypedLine, completions: Completions, _environment: Mapping[str, str]) -> Answer:
    """Write one completion a line, quoted as the typed word is; bash inserts them as they are."""
    whole = (f"{completions.option}{each.value}" for each in completions.candidates)
    replaced = (each.removeprefix(line.kept) for each in whole if each.startswith(line.kept))
    return Answer("\n".join(_quote_bash(each, line.quote) for each in replaced), _code(completions))


def _quote_bash(text: str, quote: str) -> str:
    if quote == "'":
        return text.replace("'", r"'\''")
    if quote:
        return re.sub(r'(["$`\\])', r"\\\1", text).replace("!", "\"'!'\"")  # a backslash would remain before `!`
    return re.sub(r"([^\w@%+=:,./-])", r"\\\1", text)


# zsh ------------------------------------------------------------------------------------------------------------------


def _read_typed(environment: Mapping[str, str]) -> TypedLine:
    return parse_line(environment.get("_TYPER_COMPLETE_ARGS", ""))


def _write_zsh(_line: TypedLine, completions: Completions, _environment: Mapping[str, str]) -> Answer:
    """Write one line of code that the script evaluates. No value has white space, where Typer's script splits it."""
    prefix = f"compset -P {_quote_zsh(completions.option)}; " if completions.option else ""
    if not completions.candidates:
        return Answer(f"{prefix}_files" if completions.may_be_file else ":")
    items = " ".join(_quote_zsh(_describe_zsh(each)) for each in completions.candidates)
    return Answer(
        f"local -a mldeploy_values; mldeploy_values=({items}); {prefix}_describe -t values value mldeploy_values"
    )


def _describe_zsh(candidate: ShellCandidate) -> str:
    """Return `value:description` for `_describe`."""
    value = candidate.value.replace("\\", r"\\").replace(":", r"\:")
    return f"{value}:{candidate.help}" if candidate.help else value


def _quote_zsh(text: str) -> str:
    escaped = re.sub(r"[^\w./@%+,-]", _escape_zsh, text)
    return f"$'{escaped}'"


def _escape_zsh(match: re.Match[str]) -> str:
    return f"\\x{ord(match[0]):02x}" if match[0].isascii() else match[0]


# fish -----------------------------------------------------------------------------------------------------------------


def _write_fish(_line: TypedLine, completions: Completions, environment: Mapping[str, str]) -> Answer:
    """Write one completion a line, with a tab before its description; fish quotes what it inserts."""
    if environment.get("_TYPER_COMPLETE_FISH_ACTION") == "is-args":
        return Answer("", int(not completions.candidates and completions.may_be_file))
    lines = (f"{completions.option}{each.value}\t{each.help}".rstrip("\t") for each in completions.candidates)
    return Answer("\n".join(lines), _code(completions))


def _code(completions: Completions) -> int:
    return 0 if completions.candidates or completions.may_be_file else NO_FILES


PROTOCOLS: Mapping[str, ShellProtocol] = {
    "bash": ShellProtocol(_read_bash, _write_bash),
    "zsh": ShellProtocol(_read_typed, _write_zsh),
    "fish": ShellProtocol(_read_typed, _write_fish),
}
