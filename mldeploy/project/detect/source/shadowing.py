"""Files of the app's own that hide a module of Python or of a package."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from mldeploy.project.detect.dependencies.distributions import is_known_import
from mldeploy.project.detect.findings import Remark, Severity, Source
from mldeploy.project.detect.frameworks import MAKERS
from mldeploy.project.detect.source.python_source import PythonModule
from mldeploy.project.detect.tree import Tree

_HARMLESS = frozenset({"antigravity", "idlelib", "test", "this", "turtle", "turtledemo", "main", "lib2to3"})
"""Modules of Python that no library imports."""
_FRAMEWORKS = frozenset(name.partition(".")[0] for name in MAKERS) | {"streamlit", "gunicorn", "uvicorn"}


def find_shadows(tree: Tree, modules: tuple[PythonModule, ...], start_in: str) -> Iterator[Remark]:
    """Yield a remark for each file in the start folder that is imported instead of a module of that name.

    modules: those that the app consists of. start_in: the folder that Python searches first.
    """
    imported = {name.partition(".")[0] for module in modules for name, _ in module.imports}
    for file in tree.ending(".py"):
        name = file.name.removesuffix(".py")
        if file.folder != start_in or name in _HARMLESS:
            continue
        if name in _FRAMEWORKS or (is_known_import(name) and name in imported):
            what = f"hides the package {name}: an import of it gets this file"
            yield Remark("module-shadowed", Severity.ERROR, Source(file.path), what, "Rename the file.")
        elif name in sys.stdlib_module_names:
            what = f"hides Python's own module {name} from every package that imports it"
            yield Remark("module-shadowed", Severity.WARNING, Source(file.path), what, "Rename the file.")
