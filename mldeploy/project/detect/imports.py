"""What the app's source imports: the dependencies, where no file lists them, and the check of the file that does."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator

from mldeploy.project.detect.dependency import Dependency, Listing, Origin, unique
from mldeploy.project.detect.distributions import closed, of_import
from mldeploy.project.detect.environment import Environment
from mldeploy.project.detect.findings import Remark, Severity, Source
from mldeploy.project.detect.source import Module, Sources


def imported(sources: Sources, modules: Iterable[Module]) -> dict[str, Source]:
    """The top-level modules from outside the folder that these modules import, each with the first place.

    What stands in a `try` with an `except ImportError`, or under `if TYPE_CHECKING:`, is optional and left out.
    """
    found: dict[str, Source] = {}
    for module in modules:
        optional = _optional(module)
        for name, line in module.imports:
            top = name.partition(".")[0]
            if not top or top in found or top in sys.stdlib_module_names or line in optional:
                continue
            if (
                not sources.local(top, module)
                and not sources.local(name, module)
                and not _is_folder(sources, top, module)
            ):
                found[top] = Source(module.file.path, line)
    return found


def listing(found: dict[str, Source], libraries: dict[str, Source], environment: Environment) -> Listing:
    """Imports (and the libraries of the models) as dependencies, at the versions that are installed here."""
    dependencies = [_dependency(module, source, environment) for module, source in (found | libraries).items()]
    guessed = [each for each in dependencies if each.name not in environment.versions]
    remarks = (_unknown(guessed),) if guessed else ()
    return Listing(Origin.IMPORTS, "", unique(dependencies), remarks=remarks)


def _dependency(module: str, source: Source, environment: Environment) -> Dependency:
    providers = environment.providers.get(module, ())
    usual = of_import(module)
    name = usual if usual in providers or not providers else providers[0]
    known = environment.versions.get(name)
    return Dependency(name, f"=={known.public}" if known else "", source)


def _unknown(guessed: list[Dependency]) -> Remark:
    names = ", ".join(each.name for each in guessed)
    what = f"nothing says which version of these is needed, and they are not installed here: {names}"
    todo = "Write the versions into requirements.txt, or run `mldeploy init` in the environment in which the app runs."
    return Remark("versions-unknown", Severity.WARNING, guessed[0].source, what, todo)


def missing(found: dict[str, Source], listed: Listing, environment: Environment) -> Iterator[Remark]:
    """The imports that no listed distribution provides, nor is known to bring along."""
    names = closed(listed.names)
    for module, source in found.items():
        name = of_import(module)
        if name not in names and names.isdisjoint(environment.providers.get(module, ())):
            what = f"imports {module}, but {listed.path} does not list {name}"
            yield Remark("dependency-missing", Severity.WARNING, source, what, f"Add {name} to {listed.path}.")


def _is_folder(sources: Sources, name: str, module: Module) -> bool:
    """Whether a name is a folder of the app's own without an `__init__.py` (PEP 420)."""
    places = dict.fromkeys((name, f"{module.file.folder}/{name}".strip("/"), f"src/{name}"))
    return any(file.path.startswith(f"{place}/") for place in places for file in sources.tree.ending(".py"))


def _optional(module: Module) -> set[int]:
    """The lines of imports that the module can do without."""
    found: set[int] = set()
    for node in module.nodes:
        if isinstance(node, ast.Try) and any(_catches_import(handler) for handler in node.handlers):
            body: list[ast.stmt] = [*node.body, *(each for handler in node.handlers for each in handler.body)]
        elif isinstance(node, ast.If) and module.dotted(node.test).endswith("TYPE_CHECKING"):
            body = node.body
        else:
            continue
        found |= {each.lineno for each in body if isinstance(each, ast.Import | ast.ImportFrom)}
    return found


def _catches_import(handler: ast.ExceptHandler) -> bool:
    names = (
        {each.id for each in ast.walk(handler.type) if isinstance(each, ast.Name)} if handler.type else {"Exception"}
    )
    return not names.isdisjoint({"ImportError", "ModuleNotFoundError", "Exception"})
