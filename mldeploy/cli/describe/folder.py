"""What was found in a folder."""

from __future__ import annotations

from collections.abc import Iterator

from mldeploy.project.detect.command import Command
from mldeploy.project.detect.dependency import Listing
from mldeploy.project.detect.findings import Found, Remark
from mldeploy.project.detect.folder import Folder
from mldeploy.project.detect.frameworks import Interface
from mldeploy.project.detect.models import Model
from mldeploy.project.detect.python_version import Python
from mldeploy.project.scaffold import Written
from mldeploy.ui.documents.folder import FindingDocument, InitDocument, RemarkDocument
from mldeploy.ui.text import counted, size


def initialized(folder: Folder, written: Written) -> InitDocument:
    remarks = tuple(map(remark, folder.remarks))
    return InitDocument(str(folder.root), tuple(_findings(folder)), remarks, written.written, written.kept)


def remark(each: Remark) -> RemarkDocument:
    return RemarkDocument(each.code, each.severity.value, str(each.source), each.what, each.todo)


def _findings(folder: Folder) -> Iterator[FindingDocument]:
    for entry in folder.entries:
        kind = "app" if entry == folder.entry else "candidate"
        yield _finding(kind, f"{entry.value} ({_framework(entry.value.framework, entry.value.interface)})", entry)
    servers = (command for command in folder.commands if command.value.server)
    yield from (_finding("served", _command(command.value), command) for command in servers)
    if folder.python:
        yield _finding("python", _python(folder.python.value), folder.python)
    if folder.dependencies:
        yield _dependencies(folder.dependencies)
    if folder.system_packages and not folder.dockerfile:
        yield _finding("system_packages", ", ".join(folder.system_packages.value), folder.system_packages)
    if folder.port:
        yield _finding("port", str(folder.port.value), folder.port)
    for kind in ("health", "predict", "predict_table", "env_file", "golden"):
        found: Found[str] | None = getattr(folder, kind)
        if found:
            yield _finding(kind, found.value, found)
    for model in folder.models:
        yield _finding("model", _model(model.value), model)
    if folder.dockerfile:
        yield FindingDocument("dockerfile", "the folder's own, built as it is", folder.dockerfile, "certain")


def _finding(kind: str, value: str, found: Found[object]) -> FindingDocument:
    source = "" if found.source.path == "." else str(found.source)
    return FindingDocument(kind, value, source, found.certainty.name.lower())


def _framework(framework: str, interface: Interface) -> str:
    return framework if framework == interface.name else f"{framework}, {interface.value}"


def _python(python: Python) -> str:
    instead = python.replaces
    return f"{python} instead of {instead[0]}.{instead[1]}" if instead else str(python)


def _command(command: Command) -> str:
    address = f" on {command.host or '*'}:{command.port}" if command.port else ""
    return f"{command.server.value if command.server else ''} {command.target}".strip() + address


def _dependencies(listed: Listing) -> FindingDocument:
    pinned = sum(each.name in listed.versions for each in listed.dependencies)
    value = f"{len(listed.dependencies)}, {pinned} of them pinned"
    return FindingDocument(
        "dependencies", value, listed.path or "the source's imports", "certain" if listed.path else "guess"
    )


def _model(model: Model) -> str:
    versions = dict(model.versions)
    libraries = (f"{name} {versions[name]}" if name in versions else name for name in model.libraries)
    many = f"; {counted(len(model.libraries), 'library')}" if len(model.libraries) > 6 else ""
    return ", ".join((size(model.size), model.format, *list(libraries)[:6])) + many
