"""`python -m mldeploy.cli.manual [--check] [FOLDER]`: writes docs/commands.md, docs/exit-codes.md and docs/schemas/.

With `--check` nothing is written; the exit code is 1 if a file is not what it would be.
"""

from __future__ import annotations

import dataclasses
import sys
import types
import typing
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path

import typer

from mldeploy.cli.app import ENTRIES, PANELS, HelpDoc, build_group, load_command
from mldeploy.cli.commands.about import VersionDocument
from mldeploy.cli.commands.apps import AppsDocument
from mldeploy.cli.commands.build import BuildDocument
from mldeploy.cli.commands.canary import CanaryDocument
from mldeploy.cli.commands.check import CheckDocument
from mldeploy.cli.commands.ci import WorkflowDocument
from mldeploy.cli.commands.deploy import DeployDocument
from mldeploy.cli.commands.destroy import DestroyDocument, StopDocument
from mldeploy.cli.commands.diff import DiffDocument
from mldeploy.cli.commands.doctor import DoctorDocument
from mldeploy.cli.commands.exec import ExecDocument
from mldeploy.cli.commands.images import ImagesDocument
from mldeploy.cli.commands.init_report import InitDocument
from mldeploy.cli.commands.keys import KeysDocument
from mldeploy.cli.commands.logs import LogsDocument
from mldeploy.cli.commands.manifests import ManifestsDocument, PolicyDocument
from mldeploy.cli.commands.plan import PlanDocument
from mldeploy.cli.commands.predict import PredictDocument
from mldeploy.cli.commands.promote import PromoteDocument
from mldeploy.cli.commands.push import LoginDocument, PushDocument
from mldeploy.cli.commands.rehearse import RehearseDocument
from mldeploy.cli.commands.releases import HistoryDocument, RollbackDocument, ScaleDocument
from mldeploy.cli.commands.secrets import SecretsDocument
from mldeploy.cli.commands.status import InstancesDocument, OpenDocument, StatusDocument
from mldeploy.cli.rollout.canary_documents import AgreementDocument, CanaryState
from mldeploy.cli.run import PANEL
from mldeploy.cli.schemas import schema_files
from mldeploy.core.errors import ExitCode
from mldeploy.image.types import Image
from mldeploy.providers.base import Instance, Release
from mldeploy.providers.capabilities import CostItem, UsageCost
from mldeploy.ui.documents import ErrorDocument, TextDocument

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
    "promote": PromoteDocument,
    "ci": WorkflowDocument,
    "predict": PredictDocument,
    "open": OpenDocument,
    "status": StatusDocument,
    "apps": AppsDocument,
    "ps": InstancesDocument,
    "logs": LogsDocument,
    "images": ImagesDocument,
    "history": HistoryDocument,
    "diff": DiffDocument,
    "exec": ExecDocument,
    "canary": CanaryDocument,
    "rollback": RollbackDocument,
    "scale": ScaleDocument,
    "keys": KeysDocument,
    "secrets": SecretsDocument,
    "stop": StopDocument,
    "destroy": DestroyDocument,
    "rehearse": RehearseDocument,
    "version": VersionDocument,
    "help": TextDocument,
}
"""The `--json` document of each command."""

DOMAIN_TYPES = {
    each.__name__: each for each in (AgreementDocument, CanaryState, CostItem, Image, Instance, Release, UsageCost)
}
"""Types of fields that the commands' modules import only for type checking."""

_GENERATED = "<!-- Generated from the code by `python -m mldeploy.cli.manual`: change it there. -->\n"

_COMMANDS = f"""{_GENERATED}
# Commands

Every command works on the app in the current folder or in the folder given with `-C`, and on the target given with
`--target` (default: `local`). `-C` also takes the address of a git repository as `docker build` does
(`https://host/repository.git#ref:folder`); it is fetched for each command.

Results go to standard output; progress, warnings and errors go to standard error. A terminal shows running steps live;
elsewhere each step is a line.

With `--json` standard output is exactly one JSON document, also after an error. The keys are listed with each command.
[schemas](schemas/README.md) has a JSON Schema for each command. A field never changes its meaning within a major
version. With `--rehearse` the document also has the key `rehearsal`, which is true. [Exit codes](exit-codes.md) are
stable.
"""

_EXIT_CODES = f"""{_GENERATED}
# Exit codes

The meaning of a code never changes. With `--json` an error contains the code and its name.

| code | name | meaning |
|---|---|---|
"""


def commands() -> str:
    """The text of docs/commands.md."""
    return "\n".join((_COMMANDS, *_shared(), *_each(), *_errors()))


def exit_codes() -> str:
    """The text of docs/exit-codes.md."""
    return _EXIT_CODES + "".join(f"| {code.value} | `{code.name}` | {code.meaning} |\n" for code in ExitCode)


def files() -> Iterator[tuple[str, str]]:
    """The path of each generated file below docs/, and its text."""
    yield "commands.md", commands()
    yield "exit-codes.md", exit_codes()
    for name, text in schema_files(DOCUMENTS, DOMAIN_TYPES):
        yield f"schemas/{name}", text


def _shared() -> Iterator[str]:
    yield f"## {PANEL}\n\nThey can be given before or after the name of a command.\n"
    yield from _options(build_group().params, PANEL)


def _each() -> Iterator[str]:
    for panel, entries in PANELS.items():
        yield f"## {panel}\n"
        for name in entries:
            doc = HelpDoc.of(ENTRIES[name].load())
            yield f"### `mldeploy {name}`\n"
            yield from (f"{paragraph}\n" for paragraph in doc.paragraphs)
            yield "\n".join(("```console", *(f"$ {example}" for example in doc.examples), "```\n"))
            parameters = load_command(name).params
            yield from _arguments(parameters)
            yield from _options(parameters, None)
            yield "With `--json`:\n"
            yield from _fields(DOCUMENTS[name])


def _arguments(parameters: Iterable[object]) -> Iterator[str]:
    arguments = [each for each in parameters if isinstance(each, typer.core.TyperArgument)]
    if arguments:
        yield "| argument | |\n|---|---|"
        for argument in arguments:
            yield f"| `{(argument.metavar or argument.name).replace('|', chr(92) + '|')}` | {argument.help} |"
        yield ""


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
    """List the keys of a document, with those of nested documents below them."""
    hints = typing.get_type_hints(document, localns=DOMAIN_TYPES, include_extras=True)
    for field in dataclasses.fields(document):  # type: ignore[arg-type]  # a dataclass, like every document
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
    return "text" if isinstance(kind, type) and issubclass(kind, StrEnum) else "object"


def main(arguments: Sequence[str]) -> int:
    """Write the files, or check them."""
    check = "--check" in arguments
    folder = Path(next((each for each in arguments if each != "--check"), "docs"))
    stale = []
    for name, text in files():
        path = folder / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(str(path))
        if not check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
    if check and stale:
        sys.stderr.write(f"{', '.join(stale)}: not current; run `python -m mldeploy.cli.manual`\n")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
