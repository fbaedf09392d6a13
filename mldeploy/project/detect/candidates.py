"""Every app in the folder that a server could be told to serve."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mldeploy.project.detect.entry import App, Entry, apps, factories
from mldeploy.project.detect.findings import Certainty, Found, Source
from mldeploy.project.detect.frameworks import HINT, STREAMLIT, Interface, Kind
from mldeploy.project.detect.source import Module, Sources, module_name
from mldeploy.project.detect.static import constant
from mldeploy.project.detect.tree import File, Tree

MAX_CANDIDATES = 400
"""Files that are parsed in the search for an app, those nearest to the root first."""

_ASIDE = frozenset({
    "test", "tests", "testing", "example", "examples", "doc", "docs", "notebooks", "benchmark", "benchmarks", "demo",
    "demos", "scripts", "tools", "migrations", "old", "archive", "backup", "training",
})  # fmt: skip
"""Folders whose apps are only meant if there is no other."""


@dataclass(frozen=True)
class Candidate:
    """An app, the module that makes it, and whether a server can be told its name."""

    entry: Entry
    app: App
    module: Module

    @property
    def found(self) -> Found[Entry]:
        aside = is_aside(self.module.file)
        return Found(self.entry, self.source, Certainty.GUESS if aside else Certainty.LIKELY)

    @property
    def source(self) -> Source:
        return Source(self.module.file.path, self.app.line)

    @property
    def is_servable(self) -> bool:
        named = bool(self.app.attribute) or self.entry.interface is Interface.SCRIPT
        return named and not self.app.needs_arguments


def candidates(sources: Sources) -> tuple[Candidate, ...]:
    """All of them, those nearest to the root first."""
    return tuple(each for module in _modules(sources) for each in _of_module(sources, module))


def outermost(found: tuple[Candidate, ...], sources: Sources) -> tuple[Candidate, ...]:
    """Those that nothing else builds upon; what lies in folders of examples and tests only if there is no other."""
    servable = [each for each in found if each.is_servable]
    builds_on = {each.module: frozenset(sources.reachable([each.module])) for each in found}
    whole = [each for each in servable if not _is_part(each, servable, builds_on)]
    better = [each for each in whole if each.found.certainty > Certainty.GUESS]
    return tuple(better or whole)


def _modules(sources: Sources) -> Iterator[Module]:
    tree = sources.tree
    files = sorted(tree.ending(".py"), key=lambda file: (is_aside(file), file.path.count("/"), file.path))
    hinted = (file for file in files if HINT.search(tree.data(file)))
    for file, _ in zip(hinted, range(MAX_CANDIDATES), strict=False):
        module = sources.module(file.path)
        if module:
            yield module


def is_aside(file: File) -> bool:
    folders = file.folder.lower().split("/")
    return not _ASIDE.isdisjoint(folders) or file.name.startswith(("test_", "conftest")) or file.name == "setup.py"


def _of_module(sources: Sources, module: Module) -> Iterator[Candidate]:
    for app in apps(module, _imported_factories(sources, module)):
        yield Candidate(entry_of(sources, module, app), app, module)


def _imported_factories(sources: Sources, module: Module) -> dict[str, Kind]:
    """The factories of the folder's other modules, by the names that this module calls them by."""
    found: dict[str, Kind] = {}
    for name, _ in module.imports:
        file = sources.local(name, module)
        below = sources.module(file.path) if file and file.path != module.file.path else None
        if below:
            joint = "" if name.endswith(".") else "."
            found |= {f"{name}{joint}{factory}": kind for factory, kind in factories(below).items()}
    return found


def entry_of(sources: Sources, module: Module, app: App) -> Entry:
    """What a server would be told, for an app of a module."""
    path, kind = module.file.path, app.kind
    entry = Entry(module_name(path), app.attribute, kind.framework, kind.interface, path, app.factory)
    # Wherever a script is started, Python finds the modules beside it.
    start_in = start_folder(sources, module, for_imports=kind.interface is not Interface.SCRIPT)
    return entry.inside(start_in) if start_in else entry


def start_folder(sources: Sources, module: Module, *, for_imports: bool = True) -> str:
    """The folder in which a module must be started for its neighbours and its files to be found: "" is the root.

    `deploy/app.py` that says `import model` or `joblib.load("model.pkl")` only works in `deploy`, if that is where
    these are and the root has none.
    """
    folder = module.file.folder
    if not folder:
        return ""
    src = "src" if folder.startswith("src/") or folder == "src" else ""
    for root in dict.fromkeys((folder, src)):
        if root and any(_only_below(sources.tree, root, path) for path in _needed(module, for_imports=for_imports)):
            return root
    return ""


def _needed(module: Module, *, for_imports: bool) -> Iterator[tuple[str, ...]]:
    """The paths that a module expects to find: of each import, one of several; of each file that it opens, one."""
    for name, _ in module.imports if for_imports else ():
        if not name.startswith("."):
            below = name.replace(".", "/")
            yield f"{below}.py", f"{below}/__init__.py"
    for call in module.calls:
        for argument in call.args[:2]:
            text = constant(argument, module) if isinstance(argument, ast.Constant | ast.Name) else None
            if isinstance(text, str) and 2 < len(text) < 256 and "." in text and not text.startswith(("/", ".")):
                yield (text,)


def _only_below(tree: Tree, folder: str, paths: tuple[str, ...]) -> bool:
    return tree.first(*(f"{folder}/{path}" for path in paths)) is not None and tree.first(*paths) is None


def _is_part(each: Candidate, found: list[Candidate], builds_on: Mapping[Module, frozenset[Module]]) -> bool:
    """Whether another candidate builds upon this one, or is the better way to serve the same app."""
    others = [other for other in found if other.module is not each.module]
    mine = builds_on[each.module]
    if any(each.module in builds_on[other.module] and other.module not in mine for other in others):
        return True
    return _is_django_twin(each, others) or _is_page(each, others)


def _is_django_twin(each: Candidate, others: list[Candidate]) -> bool:
    """Django's asgi.py beside its wsgi.py."""
    folder = each.module.file.folder
    return (
        each.entry.framework == "Django"
        and each.entry.interface is Interface.ASGI
        and any(other.module.file.folder == folder and other.entry.framework == "Django" for other in others)
    )


def _is_page(each: Candidate, others: list[Candidate]) -> bool:
    """A page of a Streamlit app of several pages."""
    folder, _, last = each.module.file.folder.rpartition("/")
    return (
        each.app.kind is STREAMLIT
        and last == "pages"
        and any(other.app.kind is STREAMLIT and other.module.file.folder == folder for other in others)
    )
