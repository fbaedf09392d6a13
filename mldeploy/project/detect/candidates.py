"""List the app candidates: every app in the folder that a server can serve."""

from __future__ import annotations

import ast
import keyword
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from mldeploy.project.detect.entry import AppEntry, AppObject, find_apps, find_factories
from mldeploy.project.detect.findings import Certainty, Detected, Source
from mldeploy.project.detect.frameworks import HINT, STREAMLIT, FrameworkObject, Interface
from mldeploy.project.detect.source.python_source import PythonModule, SourceTree, evaluate, module_name
from mldeploy.project.detect.tree import Tree, TreeFile

MAX_CANDIDATES = 400
"""Files that are parsed in the search for an app, those nearest to the root first."""

_SIDE_FOLDERS = frozenset({
    "test", "tests", "testing", "example", "examples", "doc", "docs", "notebooks", "benchmark", "benchmarks", "demo",
    "demos", "scripts", "tools", "migrations", "old", "archive", "backup", "training",
})  # fmt: skip
"""Folders whose apps are only meant if there is no other."""

_ASIDE = "the only app is in a folder for examples, scripts or old files"


@dataclass(frozen=True)
class AppCandidate:
    """An app and the module that creates it."""

    entry: AppEntry
    app: AppObject
    module: PythonModule
    package: str = ""
    """The package that Python imports instead of the module, "" if there is none."""

    @property
    def detected(self) -> Detected[AppEntry]:
        if not is_side_file(self.module.file):
            return Detected(self.entry, self.source, Certainty.LIKELY)
        return Detected(self.entry, self.source, Certainty.GUESS, _ASIDE)

    @property
    def source(self) -> Source:
        return Source(self.module.file.path, self.app.line)

    @property
    def is_servable(self) -> bool:
        named = bool(self.app.attribute) or self.entry.interface is Interface.SCRIPT
        importable = not self.package or self.entry.interface is Interface.SCRIPT
        return named and importable and not self.app.needs_arguments


def list_candidates(sources: SourceTree) -> tuple[AppCandidate, ...]:
    """Return all candidates but those of tests, those nearest to the root first."""
    modules = (module for module in _modules(sources) if not is_test(module.file))
    return tuple(each for module in modules for each in _module_candidates(sources, module))


def select_outermost(every: tuple[AppCandidate, ...], sources: SourceTree) -> tuple[AppCandidate, ...]:
    """Return the candidates that no other candidate uses; those in example folders only if there is no other."""
    servable = [each for each in every if each.is_servable]
    builds_on = {each.module: frozenset(sources.reachable([each.module])) for each in every}
    whole = [each for each in servable if not _is_part(each, servable, builds_on)]
    better = [each for each in whole if each.detected.certainty > Certainty.GUESS]
    return tuple(better or whole)


def _modules(sources: SourceTree) -> Iterator[PythonModule]:
    tree = sources.tree
    files = sorted(tree.ending(".py"), key=lambda file: (is_side_file(file), file.path.count("/"), file.path))
    hinted = (file for file in files if HINT.search(tree.data(file)))
    for file, _ in zip(hinted, range(MAX_CANDIDATES), strict=False):
        module = sources.module(file.path)
        if module:
            yield module


def is_side_file(file: TreeFile) -> bool:
    folders = file.folder.lower().split("/")
    return (
        not _SIDE_FOLDERS.isdisjoint(folders) or file.name.startswith(("test_", "conftest")) or file.name == "setup.py"
    )


def is_test(file: TreeFile) -> bool:
    """Whether a file belongs to the tests, which are never served."""
    folders = file.folder.lower().split("/")
    return not {"test", "tests", "testing"}.isdisjoint(folders) or _is_test_name(file.name)


def _is_test_name(name: str) -> bool:
    return name.startswith(("test_", "conftest")) or name.endswith("_test.py")


def _module_candidates(sources: SourceTree, module: PythonModule) -> Iterator[AppCandidate]:
    for app in find_apps(module, imported_factories(sources, module)):
        package = module.file.path.removesuffix(".py")
        hidden = package if sources.tree.get(f"{package}/__init__.py") else ""
        yield AppCandidate(make_entry(sources, module, app), app, module, hidden)


def imported_factories(sources: SourceTree, module: PythonModule) -> dict[str, FrameworkObject]:
    """The factories of the folder's other modules, by the names that this module calls them by."""
    imported: dict[str, FrameworkObject] = {}
    for name, _ in module.imports:
        file = sources.local(name, module)
        below = sources.module(file.path) if file and file.path != module.file.path else None
        if below:
            joint = "" if name.endswith(".") else "."
            imported |= {f"{name}{joint}{factory}": kind for factory, kind in find_factories(below).items()}
    return imported


def make_entry(sources: SourceTree, module: PythonModule, app: AppObject) -> AppEntry:
    """Return the entry of an app in a module, as a server takes it."""
    path, kind = module.file.path, app.kind
    entry = AppEntry(module_name(path), app.attribute, kind.framework, kind.interface, path, app.factory)
    package = sources.package
    if package and package.root and path.startswith(f"{package.root}/") and kind.interface is not Interface.SCRIPT:
        return replace(entry, module=module_name(path.removeprefix(f"{package.root}/")))
    # Wherever a script is started, Python finds the modules beside it.
    start_in = start_folder(sources, module, for_imports=kind.interface is not Interface.SCRIPT)
    if kind.framework == "Django":
        start_in = _manage_folder(sources.tree, module) or start_in
    if kind.interface is not Interface.SCRIPT:
        start_in = _importable_folder(path, start_in)
    return entry.inside(start_in) if start_in else entry


def _manage_folder(tree: Tree, module: PythonModule) -> str:
    """The folder of the `manage.py` that is nearest above a module: Django's own imports start there."""
    parts = module.file.folder.split("/")
    above = ("/".join(parts[:depth]) for depth in range(len(parts), 0, -1))
    return next((folder for folder in above if folder and tree.get(f"{folder}/manage.py")), "")


def _importable_folder(path: str, start_in: str) -> str:
    """The folder from which a module can be imported: below the last one whose name is none for Python (`my-app`)."""
    folders = path.split("/")[:-1]
    for depth in range(len(folders), 0, -1):
        name = folders[depth - 1]
        if not name.isidentifier() or keyword.iskeyword(name):
            strange = "/".join(folders[:depth])
            return start_in if start_in.startswith(strange) else strange
    return start_in


def start_folder(sources: SourceTree, module: PythonModule, *, for_imports: bool = True) -> str:
    """Return the folder in which a module must start so that its imports and files resolve: "" is the root.

    `deploy/app.py` that says `import model` or `joblib.load("model.pkl")` only works in `deploy`, if that is where
    these are and the root has none.
    """
    folder = module.file.folder
    if not folder:
        return ""
    src = "src" if folder.startswith("src/") or folder == "src" else ""
    for root in dict.fromkeys((folder, src)):
        if root and any(
            _only_below(sources.tree, root, path) for path in _expected_paths(module, for_imports=for_imports)
        ):
            return root
    return ""


def _expected_paths(module: PythonModule, *, for_imports: bool) -> Iterator[tuple[str, ...]]:
    """The paths that a module expects to find: of each import, one of several; of each file that it opens, one."""
    for name, _ in module.imports if for_imports else ():
        if not name.startswith("."):
            below = name.replace(".", "/")
            yield f"{below}.py", f"{below}/__init__.py"
    for call in module.calls:
        for argument in call.args[:2]:
            text = evaluate(argument, module) if isinstance(argument, ast.Constant | ast.Name) else None
            if isinstance(text, str) and 2 < len(text) < 256 and "." in text and not text.startswith(("/", ".")):
                yield (text,)


def _only_below(tree: Tree, folder: str, paths: tuple[str, ...]) -> bool:
    return tree.first(*(f"{folder}/{path}" for path in paths)) is not None and tree.first(*paths) is None


def _is_part(
    each: AppCandidate, servable: list[AppCandidate], builds_on: Mapping[PythonModule, frozenset[PythonModule]]
) -> bool:
    """Whether another candidate builds upon this one, or is the better way to serve the same app."""
    others = [other for other in servable if other.module is not each.module and _may_replace(other, each)]
    mine = builds_on[each.module]
    if any(each.module in builds_on[other.module] and other.module not in mine for other in others):
        return True
    return _is_django_twin(each, others) or _is_page(each, others)


def _may_replace(other: AppCandidate, each: AppCandidate) -> bool:
    """An example that imports the app is not the app."""
    return is_side_file(each.module.file) or not is_side_file(other.module.file)


def _is_django_twin(each: AppCandidate, others: list[AppCandidate]) -> bool:
    """Django's asgi.py beside its wsgi.py."""
    folder = each.module.file.folder
    return (
        each.entry.framework == "Django"
        and each.entry.interface is Interface.ASGI
        and any(other.module.file.folder == folder and other.entry.framework == "Django" for other in others)
    )


def _is_page(each: AppCandidate, others: list[AppCandidate]) -> bool:
    """A page of a Streamlit app of several pages: below `pages`, or named by `st.Page`."""
    if each.app.kind is not STREAMLIT:
        return False
    folder, _, last = each.module.file.folder.rpartition("/")
    mains = [other.module for other in others if other.app.kind is STREAMLIT]
    is_below = last == "pages" and any(main.file.folder == folder for main in mains)
    return is_below or any(each.module.file.path in _pages(main) for main in mains)


def _pages(module: PythonModule) -> Iterator[str]:
    """The files that `st.Page` names, from the folder. Standard: Streamlit, "st.Page"."""
    for call in module.calls:
        name = evaluate(call.args[0], module) if module.called(call) == "streamlit.Page" and call.args else None
        if isinstance(name, str):
            yield posixpath.normpath(posixpath.join(module.file.folder, name))
