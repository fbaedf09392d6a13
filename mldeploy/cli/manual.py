"""`python -m mldeploy.cli.manual [--check] [FOLDER]`: writes docs/commands.md and docs/exit-codes.md from the code.

With `--check` nothing is written; the exit code is 1 if a file is not what it would be.
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
import types
import typing
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import typer

from mldeploy.cli.app import PANELS, build_app
from mldeploy.cli.run import PANEL
from mldeploy.core.errors import ExitCode
from mldeploy.ui.documents.automation import WorkflowDocument
from mldeploy.ui.documents.check import CheckDocument
from mldeploy.ui.documents.deployment import (
    DeployDocument,
    DestroyDocument,
    ManifestsDocument,
    PlanDocument,
    PolicyDocument,
)
from mldeploy.ui.documents.doctor import DoctorDocument
from mldeploy.ui.documents.folder import InitDocument
from mldeploy.ui.documents.general import ErrorDocument, VersionDocument
from mldeploy.ui.documents.image import BuildDocument, ImagesDocument, LoginDocument, PushDocument
from mldeploy.ui.documents.rehearsal import RehearseDocument
from mldeploy.ui.documents.releases import HistoryDocument, RollbackDocument, ScaleDocument
from mldeploy.ui.documents.service import (
    ExecDocument,
    InstancesDocument,
    LogsDocument,
    OpenDocument,
    PredictDocument,
    StatusDocument,
    StopDocument,
)

DOCUMENTS = {
    "doctor": DoctorDocument,
    "init": InitDocument,
    "plan": PlanDocument,
    "manifests": ManifestsDocument,
    "policy": PolicyDocument,
    "build": BuildDocument,
    "check": CheckDocument,
    "run-local": DeployDocument,
    "login": LoginDocument,
    "push": PushDocument,
    "deploy": DeployDocument,
    "ci": WorkflowDocument,
    "predict": PredictDocument,
    "open": OpenDocument,
    "status": StatusDocument,
    "ps": InstancesDocument,
    "logs": LogsDocument,
    "images": ImagesDocument,
    "history": HistoryDocument,
    "exec": ExecDocument,
    "rollback": RollbackDocument,
    "scale": ScaleDocument,
    "stop": StopDocument,
    "destroy": DestroyDocument,
    "rehearse": RehearseDocument,
    "version": VersionDocument,
}
"""What each command prints under `--json`."""

_GENERATED = "<!-- Generated from the code by `python -m mldeploy.cli.manual`: change it there. -->\n"

_COMMANDS = f"""{_GENERATED}
# Commands

Every command works on the app in the current folder, or in the one that `-C DIR` names, and on the target that
`--target` names (`local` if none is named). Instead of a folder, `-C` takes a git repository's address, as
`docker build` writes it (`https://host/repository.git#ref:folder`): it is fetched anew for each command. What a
command found or did goes to standard output, progress, warnings and errors go to standard error. On a terminal the
steps that run are drawn live; elsewhere each is a line.

With `--json` standard output is exactly one JSON document, also after an error; its keys are listed with each command.
With `--rehearse` it says so: its last key is `rehearsal`, and that is true.
[Exit codes](exit-codes.md) are stable.
"""

_EXIT_CODES = f"""{_GENERATED}
# Exit codes

A number never changes its meaning. With `--json` the error's document says the number and the name.

| code | name | meaning |
|---|---|---|
"""


def commands() -> str:
    """The text of docs/commands.md."""
    return "\n".join((_COMMANDS, *_shared(), *_each(), *_errors()))


def exit_codes() -> str:
    """The text of docs/exit-codes.md."""
    return _EXIT_CODES + "".join(f"| {code.value} | `{code.name}` | {code.meaning} |\n" for code in ExitCode)


def _shared() -> Iterator[str]:
    yield "## Options of every command\n\nThey may stand before the command's name or after it.\n"
    yield from _options(_group().params, PANEL)


def _each() -> Iterator[str]:
    group = _group()
    for panel, faces in PANELS.items():
        yield f"## {panel}\n"
        for name in faces:
            yield f"### `mldeploy {name}`\n"
            yield inspect.cleandoc(group.commands[name].help or "") + "\n"
            yield from _options(group.commands[name].params, None)
            yield "With `--json`:\n"
            yield from _fields(DOCUMENTS[name])


def _group() -> typer.core.TyperGroup:
    group = typer.main.get_command(build_app())
    assert isinstance(group, typer.core.TyperGroup)  # noqa: S101 - an application with several commands is one
    return group


def _options(parameters: Iterable[object], panel: str | None) -> Iterator[str]:
    options = [
        each for each in parameters if isinstance(each, typer.core.TyperOption) and each.rich_help_panel == panel
    ]
    if options:
        yield "| option | |\n|---|---|"
        yield from map(_option, options)
        yield ""


def _option(option: typer.core.TyperOption) -> str:
    metavar = f" {option.metavar}" if option.metavar and not option.is_flag else ""
    names = ", ".join(f"`{name}{metavar}`" for name in sorted(option.opts, key=len, reverse=True))
    default = f" Default: `{option.default}`." if option.show_default and option.default not in (None, False) else ""
    return f"| {names} | {option.help}{default} |"


def _errors() -> Iterator[str]:
    yield "## Errors\n\nWith `--json` an error is this document:\n"
    yield from _fields(ErrorDocument)


def _fields(document: type[object], indent: str = "") -> Iterator[str]:
    """The document's keys as a list, those of a nested one beneath it."""
    hints = typing.get_type_hints(document, include_extras=True)
    for field in dataclasses.fields(document):  # type: ignore[arg-type]  # every document is a dataclass
        kind, text = typing.get_args(hints[field.name])
        inner = [each for each in (kind, *typing.get_args(kind)) if isinstance(each, type)]
        yield f"{indent}- `{field.name}` ({_kind(kind)}): {text}"
        for each in filter(dataclasses.is_dataclass, inner):
            yield from _fields(each, f"{indent}  ")
    if not indent:
        yield ""


def _kind(kind: object) -> str:
    simple = {str: "text", int: "integer", float: "number", bool: "true or false", object: "any JSON"}
    if isinstance(kind, type) and kind in simple:
        return simple[kind]
    if isinstance(kind, types.UnionType):
        return f"{_kind(typing.get_args(kind)[0])} or null"
    if typing.get_origin(kind) is tuple:
        return f"list of {_kind(typing.get_args(kind)[0])}"
    return "object"


def main(arguments: Sequence[str]) -> int:
    """Write the files, or check them."""
    check = "--check" in arguments
    folder = Path(next((each for each in arguments if each != "--check"), "docs"))
    stale = []
    for name, text in (("commands.md", commands()), ("exit-codes.md", exit_codes())):
        path = folder / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(str(path))
        if not check:
            path.write_text(text, encoding="utf-8")
    if check and stale:
        sys.stderr.write(f"{', '.join(stale)}: not current; run `python -m mldeploy.cli.manual`\n")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
