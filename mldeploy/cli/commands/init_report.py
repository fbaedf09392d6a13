"""What `mldeploy init` detected and wrote: the document, and its text."""

# ruff: noqa: PLC0415 - `--help` must not load the detection

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from mldeploy.ui.documents import Document
from mldeploy.ui.page import Page, Style
from mldeploy.ui.text import counted, size

if TYPE_CHECKING:
    from mldeploy.project.detect.dependencies.dependency import DependencyList
    from mldeploy.project.detect.findings import Detected
    from mldeploy.project.detect.folder import DetectedFolder
    from mldeploy.project.detect.frameworks import Interface
    from mldeploy.project.detect.models.model_list import Model
    from mldeploy.project.detect.python_version import PythonVersion
    from mldeploy.project.detect.starts.command import Command
    from mldeploy.project.scaffold import ScaffoldResult

SEVERITY_STYLES = {"error": Style.BAD, "warning": Style.WARN, "note": Style.DIM}
KIND_LABELS = {
    "predict_table": "predict, tables",
    "env_file": "env file",
    "golden": "golden row",
    "system_packages": "system",
}
LISTED_LIBRARIES = 6


@dataclass(frozen=True)
class DetectedDocument:
    """One detected fact."""

    kind: Annotated[
        str,
        "`app`, `candidate`, `served`, `python`, `dependencies`, `system_packages`, `port`, `health`, `predict`, "
        "`predict_table`, `env_file`, `golden`, `model`, `task`, `classes`, `column` or `dockerfile`",
    ]
    value: Annotated[str, "value"]
    source: Annotated[str, "path in the folder, and the line if there is one"]
    certainty: Annotated[str, "`certain`, `likely` or `guess`"]


@dataclass(frozen=True)
class RemarkDocument:
    """One problem of the folder."""

    code: Annotated[str, "kind of problem; stable"]
    severity: Annotated[str, "`error` (it would not build, start or answer), `warning` or `note`"]
    source: Annotated[str, "path in the folder, and the line if there is one"]
    what: Annotated[str, "the fact"]
    todo: Annotated[str, "how to fix it; may be empty"]


@dataclass(frozen=True)
class InitDocument(Document):
    """`init`."""

    folder: Annotated[str, "absolute path of the folder"]
    found: Annotated[tuple[DetectedDocument, ...], "detected facts"]
    remarks: Annotated[tuple[RemarkDocument, ...], "problems, most severe first"]
    written: Annotated[tuple[str, ...], "files that were written"]
    kept: Annotated[tuple[str, ...], "files that existed and were not changed"]


def make_document(folder: DetectedFolder, written: ScaffoldResult) -> InitDocument:
    return InitDocument(
        folder=str(folder.root),
        found=tuple(_detected(folder)),
        remarks=tuple(
            RemarkDocument(
                code=remark.code,
                severity=remark.severity.value,
                source=str(remark.source),
                what=remark.what,
                todo=remark.todo,
            )
            for remark in folder.remarks
        ),
        written=written.written,
        kept=written.kept,
    )


def _detected(folder: DetectedFolder) -> Iterator[DetectedDocument]:
    for entry in folder.entries:
        kind = "app" if entry == folder.entry else "candidate"
        yield _fact(kind, f"{entry.value} ({_framework(entry.value.framework, entry.value.interface)})", entry)
    servers = (command for command in folder.commands if command.value.server)
    yield from (_fact("served", _command(command.value), command) for command in servers)
    if folder.python:
        yield _fact("python", _python(folder.python.value), folder.python)
    if folder.dependencies:
        yield _dependencies(folder.dependencies)
    if folder.system_packages and not folder.dockerfile:
        yield _fact("system_packages", ", ".join(folder.system_packages.value), folder.system_packages)
    if folder.port:
        yield _fact("port", str(folder.port.value), folder.port)
    for kind in ("health", "predict", "predict_table", "env_file", "golden"):
        fact: Detected[str] | None = getattr(folder, kind)
        if fact:
            yield _fact(kind, fact.value, fact)
    for model in folder.models:
        yield _fact("model", _model(model.value), model)
    if folder.dockerfile:
        yield DetectedDocument(kind="dockerfile", value="used as it is", source=folder.dockerfile, certainty="certain")


def _fact(kind: str, value: str, fact: Detected[object]) -> DetectedDocument:
    source = "" if fact.source.path == "." else str(fact.source)
    return DetectedDocument(kind=kind, value=value, source=source, certainty=fact.certainty.name.lower())


def _framework(framework: str, interface: Interface) -> str:
    return framework if framework == interface.name else f"{framework}, {interface.value}"


def _python(python: PythonVersion) -> str:
    instead = python.replaces
    return f"{python} instead of {instead[0]}.{instead[1]}" if instead else str(python)


def _command(command: Command) -> str:
    address = f" on {command.host or '*'}:{command.port}" if command.port else ""
    return f"{command.server.value if command.server else ''} {command.target}".strip() + address


def _dependencies(listed: DependencyList) -> DetectedDocument:
    from mldeploy.project.detect.dependencies.package_sources import summarize_sources

    pinned = sum(each.name in listed.versions for each in listed.dependencies)
    value = f"{len(listed.dependencies)}, {pinned} of them pinned"
    if sources := summarize_sources(listed.dependencies):
        value += f"; {sources}"
    return DetectedDocument(
        kind="dependencies",
        value=value,
        source=listed.path or "imports in the source",
        certainty="certain" if listed.path else "guess",
    )


def _model(model: Model) -> str:
    versions = dict(model.versions)
    libraries = [f"{name} {versions[name]}" if name in versions else name for name in model.libraries]
    listed = libraries[:LISTED_LIBRARIES]
    many = f"; {len(libraries)} libraries" if len(libraries) > LISTED_LIBRARIES else ""
    return ", ".join((size(model.size), model.format, *listed)) + many


def print_document(document: InitDocument, page: Page, command: Callable[[str], str], *, terse: bool) -> None:
    """Print the result. terse: only the names of the written files."""
    if terse:
        for name in document.written:
            page.line(name)
        return
    page.table(("DETECTED", "VALUE", "SOURCE"), map(_row, document.found))
    for remark in document.remarks:
        page.line()
        severity = (f"{remark.severity}: ", SEVERITY_STYLES[remark.severity])
        page.item((severity,), f"{remark.source}: {remark.what}")
        if remark.todo:
            page.item(("  ",), remark.todo)
    page.line()
    for name in document.written:
        page.line("wrote ", (name, Style.STRONG))
    for name in document.kept:
        page.line(f"kept {name} (exists)")
    errors = sum(remark.severity == "error" for remark in document.remarks)
    if errors:
        page.line(f"Fix {counted(errors, 'error')}, then run `{command('build')}`.")
    else:
        page.line(f"Next: run `{command('deploy')}`.")


def _row(fact: DetectedDocument) -> tuple[str, str, str]:
    guess = " (guess)" if fact.certainty == "guess" else ""
    return KIND_LABELS.get(fact.kind, fact.kind), f"{fact.value}{guess}", fact.source
