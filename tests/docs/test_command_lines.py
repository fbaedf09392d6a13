"""Every `mldeploy …` line of the documents is one that mldeploy understands. Nothing is run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.exceptions import TyperException

from mldeploy.cli.app import build_group
from mldeploy.providers import registry

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
FENCE = re.compile(r"^ *```(?P<language>\w*)\n(?P<block>.*?)^ *```", re.MULTILINE | re.DOTALL)
SHELL = {"", "console", "bash", "sh"}
SPAN = re.compile(r"`(?P<call>mldeploy [^`]+)`")
INCOMPLETE = re.compile("Missing parameter|requires an argument")
INDENTED = re.compile(r"^    (?=mldeploy |\w+=\S+ mldeploy ).*$", re.MULTILINE)
SEPARATOR = re.compile(r"\s(?:\||&&|>|;)(?:\s|$)")
PLACEHOLDERS = {"TARGET", "NAME"}


def command_lines(text: str) -> Iterator[str]:
    """The calls of mldeploy in code blocks: without prompts, other programs of a pipe, and redirections."""
    blocks = [match["block"] for match in FENCE.finditer(text) if match["language"] in SHELL]
    indented = INDENTED.findall(FENCE.sub("", text))
    for line in (line for block in (*blocks, *indented) for line in block.replace("\\\n", " ").splitlines()):
        for part in SEPARATOR.split(line):
            if match := re.match(r"\s*(?:\$ )?(?:\w+=\S+ )*(?P<call>mldeploy(?: .*)?)$", part):
                yield match["call"]


def parse(line: str) -> dict[str, object]:
    """The options and arguments of a call. Raises what mldeploy would answer a wrong command line with."""
    _, *words = shlex.split(line, comments=True)
    group = build_group()
    for parameter in group.params:
        if parameter.name in {"install_completion", "show_completion"}:
            parameter.callback = None  # parsing would run it already, and it depends on the shell
    with group.make_context("mldeploy", words) as context:
        rest = [*context._protected_args, *context.args]
        if not rest:
            return context.params
        name, command, arguments = group.resolve_command(context, rest)
        assert command is not None
        return command.make_context(name, arguments, parent=context).params


def problem(line: str) -> str | None:
    """Why mldeploy would refuse the line, or None."""
    try:
        values = parse(line)
    except typer.Exit:  # `--help`
        return None
    except TyperException as error:
        return str(error)
    target = values.get("target", values.get("onto")) or "local"  # `apps` without one lists those of all
    return None if target in {*registry.names(), *PLACEHOLDERS} else f"no target {target}"


def test_mldeploy_understands_every_line() -> None:
    lines = [(page, line) for page in PAGES for line in command_lines(page.read_text(encoding="utf-8"))]
    assert len(lines) > 100
    assert [f"{page.relative_to(ROOT)}: {line}: {why}" for page, line in lines if (why := problem(line))] == []


def test_what_sentences_name_exists() -> None:
    """They may leave out arguments: `mldeploy scale`."""
    spans = [
        (page, " ".join(match["call"].split()))
        for page in PAGES
        for match in SPAN.finditer(FENCE.sub("", page.read_text(encoding="utf-8")))
    ]
    problems = [(page.relative_to(ROOT), call, problem(call)) for page, call in spans]
    assert [each for each in problems if each[2] and not INCOMPLETE.search(each[2])] == []


def test_lines_are_found_in_every_form() -> None:
    text = """
```console
$ mldeploy -C example_app predict --field age=42 \\
    --field sex=female
$ mldeploy manifests | kubectl diff -f -
```

    mldeploy destroy      # ends it
    APP=x mldeploy stop && mldeploy deploy
"""
    assert [line.partition("#")[0].split() for line in command_lines(text)] == [
        ["mldeploy", "-C", "example_app", "predict", "--field", "age=42", "--field", "sex=female"],
        ["mldeploy", "manifests"],
        ["mldeploy", "destroy"],
        ["mldeploy", "stop"],
        ["mldeploy", "deploy"],
    ]


@pytest.mark.parametrize("line", ["mldeploy deply", "mldeploy deploy --tarmac x", "mldeploy scale", "mldeploy ps -t x"])
def test_a_line_that_has_become_wrong_is_found(line: str) -> None:
    assert problem(line)
