"""Every `mldeploy …` line of the documents is one that mldeploy understands. Nothing is run."""

from __future__ import annotations

import re
import shlex

import pytest
import typer
from typer.exceptions import TyperException

from mldeploy.cli.app import build_group
from mldeploy.providers import registry
from tests.docs.pages import FENCE, PAGES, ROOT, calls, lines_of, shell_lines

SPAN = re.compile(r"`(?P<call>mldeploy [^`]+)`")
INCOMPLETE = re.compile("Missing parameter|requires an argument")
PLACEHOLDERS = {"TARGET", "NAME"}


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
    lines = [(page, call) for page in PAGES for line in lines_of(page) for call in calls(line.text)]
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

```bash
URL=$(mldeploy open --quiet)
```
"""
    assert [call.split() for _, line in shell_lines(text) for call in calls(line)] == [
        ["mldeploy", "-C", "example_app", "predict", "--field", "age=42", "--field", "sex=female"],
        ["mldeploy", "manifests"],
        ["mldeploy", "destroy"],
        ["mldeploy", "stop"],
        ["mldeploy", "deploy"],
        ["mldeploy", "open", "--quiet"],
    ]


@pytest.mark.parametrize("line", ["mldeploy deply", "mldeploy deploy --tarmac x", "mldeploy scale", "mldeploy ps -t x"])
def test_a_line_that_has_become_wrong_is_found(line: str) -> None:
    assert problem(line)
