"""The imports of the app's source: the dependencies if no file lists them, and a check of the file that does."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping

from mldeploy.project.detect.dependencies.dependency import Dependency, DependencyList, Origin, unique_dependencies
from mldeploy.project.detect.dependencies.distributions import (
    LIMITS,
    InstalledDistributions,
    distribution_of,
    with_dependencies,
)
from mldeploy.project.detect.dependencies.package_sources import from_direct_url, source_remark, with_source
from mldeploy.project.detect.findings import Remark, Severity, Source
from mldeploy.project.detect.source.python_source import PythonModule, SourceTree

_GONE = {
    "3.12": "asynchat asyncore distutils imp smtpd",
    "3.13": "aifc audioop cgi cgitb chunk crypt imghdr lib2to3 mailcap msilib nis nntplib ossaudiodev pipes sndhdr spwd"
    " sunau telnetlib uu xdrlib",
}
"""Modules that Python had, by the release that removed them. https://peps.python.org/pep-0594/, /pep-0632/"""
_REMOVED = {name: release for release, names in _GONE.items() for name in names.split()}
_SUCCESSORS = {"distutils": {"setuptools"}, "cgi": {"legacy-cgi"}, "cgitb": {"legacy-cgi"}, "audioop": {"audioop-lts"}}


def find_gone(
    sources: SourceTree, modules: Iterable[PythonModule], listed: DependencyList, python: str
) -> Iterator[Remark]:
    """Yield a remark for each module of the standard library that the image's Python ("3.12") has no more."""
    seen: set[str] = set()
    for module in modules:
        optional = _optional(module)
        for name, line in module.imports:
            top = name.partition(".")[0]
            since = _REMOVED.get(top, "")
            successors = _SUCCESSORS.get(top, set()) | {f"standard-{top}"}
            known = not since or top in seen or line in optional or bool(sources.local(top, module))
            if known or not python or _release(python) < _release(since) or successors & listed.names:
                continue
            seen.add(top)
            before = f"3.{_release(since)[1] - 1}"
            what = f"imports {top}, which Python has no more since {since}, and the image has {python}"
            ways = " or ".join(sorted(successors)[:1])
            todo = f'Add {ways} to the dependencies; or set `base_image = "python:{before}-slim-bookworm"` in [build].'
            yield Remark("module-removed", Severity.WARNING, Source(module.file.path, line), what, todo)


def _release(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2])


def find_imports(sources: SourceTree, modules: Iterable[PythonModule]) -> dict[str, Source]:
    """The top-level modules from outside the folder that these modules import, each with its first location.

    What stands in a `try` with an `except ImportError`, or under `if TYPE_CHECKING:`, is optional and left out.
    """
    imports: dict[str, Source] = {}
    for module in modules:
        optional = _optional(module)
        for name, line in module.imports:
            top = name.partition(".")[0]
            if not top or top in imports or top in sys.stdlib_module_names | _REMOVED.keys() or line in optional:
                continue
            if (
                not sources.local(top, module)
                and not sources.local(name, module)
                and not _is_folder(sources, top, module)
            ):
                imports[top] = Source(module.file.path, line)
    return imports


def list_imports(
    imports: dict[str, Source],
    libraries: dict[str, Source],
    environment: InstalledDistributions,
    made_by: Mapping[str, str],
) -> DependencyList:
    """Imports (and the libraries of the models) as dependencies, at the versions that the app's environment has.

    made_by: the versions that the models were made with; they count first.
    """
    in_order = [_dependency(each, source, environment, made_by) for each, source in (imports | libraries).items()]
    named = unique_dependencies(in_order)
    guessed = [each for each in in_order if not each.specifier]
    remarks = [_unknown_versions(guessed)] if guessed else []
    dependencies: list[Dependency] = []
    for each in named:
        origin = from_direct_url(environment.direct_url(each.name))
        if origin.refusal:
            remarks.append(source_remark(each.name, each.source, origin, Origin.IMPORTS))
        elif made := with_source(each, origin):
            dependencies.append(made)
    return DependencyList(Origin.IMPORTS, "", tuple(dependencies), remarks=tuple(remarks))


def _dependency(
    module: str, source: Source, environment: InstalledDistributions, made_by: Mapping[str, str]
) -> Dependency:
    providers = environment.providers.get(module, ())
    usual = distribution_of(module)
    name = usual if usual in providers or not providers else providers[0]
    known = environment.versions.get(name)
    if name in made_by:
        return Dependency(name, f"=={made_by[name]}", source)
    return Dependency(name, f"=={known.public}" if known else _limit(module), source)


def _unknown_versions(guessed: list[Dependency]) -> Remark:
    names = ", ".join(sorted({each.name for each in guessed}))
    what = f"These packages have no pinned version: {names}"
    todo = "Write a requirements.txt that pins them: `pip freeze > requirements.txt` in the environment of the app."
    return Remark("versions-unknown", Severity.WARNING, guessed[0].source, what, todo)


def find_unlisted(
    imports: dict[str, Source],
    listed: DependencyList,
    environment: InstalledDistributions,
    groups: Mapping[str, str],
) -> Iterator[Remark]:
    """The imports that no listed distribution provides, nor is known to bring along.

    groups: what groups and extras of the project list that are not installed, each with the name of its group.
    """
    names = with_dependencies(listed.names)
    for module, source in imports.items():
        name = distribution_of(module)
        if name in names or not names.isdisjoint(environment.providers.get(module, ())):
            continue
        if name in groups:
            what = f"imports {module}, but {name} is only in {groups[name]} of pyproject.toml, which is not installed"
            todo = f"Move {name} to the dependencies of the project."
        else:
            what = f"imports {module}, but {listed.path} does not list {name}"
            limit = _limit(module)
            todo = f"Add `{name}{limit}` to {listed.path}." if limit else f"Add {name} to {listed.path}."
        yield Remark("dependency-missing", Severity.WARNING, source, what, todo)


def _limit(module: str) -> str:
    return LIMITS[module][1] if module in LIMITS else ""


def _is_folder(sources: SourceTree, name: str, module: PythonModule) -> bool:
    """Whether a name is a folder of the app's own without an `__init__.py` (PEP 420)."""
    folders = dict.fromkeys((name, f"{module.file.folder}/{name}".strip("/"), f"src/{name}"))
    return any(file.path.startswith(f"{folder}/") for folder in folders for file in sources.tree.ending(".py"))


def _optional(module: PythonModule) -> set[int]:
    """The lines of imports that the module can do without."""
    lines: set[int] = set()
    for node in module.nodes:
        if isinstance(node, ast.Try) and any(_catches_import(handler) for handler in node.handlers):
            body: list[ast.stmt] = [*node.body, *(each for handler in node.handlers for each in handler.body)]
        elif isinstance(node, ast.If) and module.dotted(node.test).endswith("TYPE_CHECKING"):
            body = node.body
        else:
            continue
        lines |= {each.lineno for each in body if isinstance(each, ast.Import | ast.ImportFrom)}
    return lines


def _catches_import(handler: ast.ExceptHandler) -> bool:
    names = (
        {each.id for each in ast.walk(handler.type) if isinstance(each, ast.Name)} if handler.type else {"Exception"}
    )
    return not names.isdisjoint({"ImportError", "ModuleNotFoundError", "Exception"})
