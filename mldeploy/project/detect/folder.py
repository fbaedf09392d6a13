"""Everything that is found in a folder, and the walk through all detectors."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path

from mldeploy.config.env_file import read_env_file, uses_dotenv
from mldeploy.config.errors import ConfigError
from mldeploy.config.host_access import HostAccess
from mldeploy.project.detect import candidates, file_checks, production_checks, python_version, secrets
from mldeploy.project.detect.dependencies import consistency, distributions, imports, pins
from mldeploy.project.detect.dependencies.dependency import DependencyList, Origin, target_environment
from mldeploy.project.detect.dependencies.distributions import InstalledDistributions
from mldeploy.project.detect.dependencies.listing import list_dependencies
from mldeploy.project.detect.dependencies.own_package import OwnPackage, find_package
from mldeploy.project.detect.dependencies.pyproject import list_group_dependencies
from mldeploy.project.detect.entries import Entries, choose_entry, find_entries
from mldeploy.project.detect.entry import AppEntry
from mldeploy.project.detect.findings import Certainty, Detected, Remark, Severity, Source
from mldeploy.project.detect.frameworks import Interface
from mldeploy.project.detect.models import model_loading
from mldeploy.project.detect.models.model_list import Model, find_excluded, find_models, list_shipped
from mldeploy.project.detect.port import choose_port, list_port_claims
from mldeploy.project.detect.python_version import PythonVersion
from mldeploy.project.detect.routes.app_routes import RouteMap, map_routes
from mldeploy.project.detect.routes.declared_routes import Body
from mldeploy.project.detect.serving import (
    detect_health,
    detect_predict,
    find_unservable,
    no_health_remark,
    streamlit_base_path,
)
from mldeploy.project.detect.source import opened_files, required_variables, shadowing
from mldeploy.project.detect.source.python_source import PythonModule, SourceTree
from mldeploy.project.detect.starts import dockerfile, server_starts, start_script
from mldeploy.project.detect.starts.command import Command
from mldeploy.project.detect.starts.server_starts import ServerCall, find_server_calls
from mldeploy.project.detect.tree import Tree, scan_folder

PathFilter = Callable[[str], bool]
"""Whether a file, by its path, would get into the image as `.dockerignore` stands."""


@dataclass(frozen=True)
class DetectedFolder:
    """What a folder is. Nothing in it is a secret.

    entries: every app, the best first. entry: the one to serve; None if there is none, or no telling which. commands:
    how it is served today, the deciding one first. dependencies: the list that counts, None if the app needs nothing.
    system_packages: what they want of Debian. models: sorted by path. health, predict, predict_table: the routes for
    these purposes, as far as they show for certain. lacks_health: none shows for that. knows_routes: all routes show.
    env_file: a file of environment variables that the app reads itself. dockerfile: the folder's own, which is built
    instead of mldeploy's recipe. environments: virtual ones, as paths. package: the one that the folder is. remarks:
    the worst first.
    """

    root: Path
    entry: Detected[AppEntry] | None
    entries: tuple[Detected[AppEntry], ...]
    commands: tuple[Detected[Command], ...]
    python: Detected[PythonVersion] | None
    dependencies: DependencyList | None
    system_packages: Detected[tuple[str, ...]] | None
    port: Detected[int] | None
    models: tuple[Detected[Model], ...]
    model_files: tuple[str, ...]
    health: Detected[str] | None
    lacks_health: bool
    knows_routes: bool
    predict: Detected[str] | None
    predict_table: Detected[str] | None
    env_file: Detected[str] | None
    golden: Detected[str] | None
    dockerfile: str | None
    environments: tuple[str, ...]
    package: OwnPackage | None
    remarks: tuple[Remark, ...]
    ignored: tuple[str, ...] = ()


def include_all(_: str) -> bool:
    """What ships from a folder without a `.dockerignore`."""
    return True


@dataclass(frozen=True)
class DetectionOptions:
    """What detection depends on beside the folder.

    entry: the app to take where there are several, as `str(Entry)`. ships: what `.dockerignore` lets through.
    environment: where versions come from that no file says; None is the folder's own virtual environment, else the
    activated one, unless mldeploy itself runs in it. today: decides which Python is dead. recipe: mldeploy's recipe is
    to be used, even if the folder has a Dockerfile.
    """

    entry: str = ""
    ships: PathFilter = include_all
    environment: InstalledDistributions | None = None
    today: date | None = None
    recipe: bool = False


def detect_folder(root: Path, options: DetectionOptions | None = None) -> DetectedFolder:
    """Read a folder, as source and as data: nothing of it is imported or run, nothing outside of it is read.

    Changes nothing; may be repeated. Raises ProjectError if the folder cannot be read, or has no app `options.entry`.
    """
    options = options or DetectionOptions()
    return Detection(scan_folder(root), options).folder(options.ships)


class Detection:
    """One run through the detectors. Each sees only what it is given; this is where their findings meet."""

    def __init__(self, tree: Tree, options: DetectionOptions) -> None:
        self.tree = tree
        self.options = options
        self.app: tuple[PythonModule, ...] = ()
        self.start_in = ""
        self.sources = SourceTree(tree)
        self.dockerfile = dockerfile.find_dockerfile(tree)
        self.commands = server_starts.list_commands(tree, self.dockerfile)
        self.config = server_starts.load_gunicorn_config(self.sources, self.commands)

    def folder(self, ships: PathFilter) -> DetectedFolder:
        """What the folder is if this is what would get into the image. Asked again, it does not look again."""
        detected = self.base_folder
        remarks = (*detected.remarks, *self.of_files(ships), *find_excluded(self.tree, detected.models, ships))
        shown = [each for each in remarks if each.source.path != self.replaced]
        return replace(
            detected, model_files=list_shipped(self.tree, detected.models, ships), remarks=_sort_remarks(shown)
        )

    @property
    def replaced(self) -> str:
        """The path of the Dockerfile that is to be replaced, "" for none: what is wrong with it will be gone."""
        return self.dockerfile.path if self.dockerfile and self.options.recipe else ""

    @cached_property
    def base_folder(self) -> DetectedFolder:
        """Everything but the remarks that depend on what gets into the image."""
        apps = choose_entry(find_entries(self.sources, self.commands, self.config), self.options.entry, self.tree.root)
        entry = apps.chosen
        self.app = modules = self.modules(entry)
        self.start_in = entry.value.start_in if entry else ""
        starts = self.starts(modules)
        python, python_remarks = python_version.detect_python(
            self.tree,
            self.dockerfile,
            self.options.today or date.today(),  # noqa: DTZ011 - the end of support is a date
            entry.value.path if entry else "",
        )
        found_models, model_remarks = find_models(self.tree, modules)
        listing, listing_remarks = self.dependencies(entry, modules, found_models, python)
        found_claims = list_port_claims(self.tree, self.commands, self.config, self.dockerfile, starts)
        found_port, port_remarks = choose_port(found_claims, entry.value.framework if entry else "")
        route_map = map_routes(self.sources, modules, entry.value if entry else None)
        found_routes = route_map.routes
        own = self.dockerfile is not None and self.dockerfile.is_used and not self.options.recipe
        found_health = detect_health(
            entry, found_routes, modules, streamlit_base_path(self.tree, self.start_in, self.commands)
        )
        has_server = entry is not None and entry.value.interface is Interface.SCRIPT
        lacks_health = entry is not None and not has_server and found_health is None
        remarks = [
            *self.of_tree(), *self.of_entries(apps, own=own),
            *find_unservable(entry, self.module(entry), own=own), *python_remarks, *listing_remarks, *port_remarks,
            *model_remarks, *self.of_source(entry, modules, starts, own=own),
            *model_loading.find_unlisted_models(self.tree, modules, listing),
            *self.of_health(entry, route_map, lacks_health=entry is not None and found_health is None,
                            own=own or has_server),
        ]  # fmt: skip
        return DetectedFolder(
            root=self.tree.root,
            entry=entry,
            entries=apps.entries,
            commands=self.commands,
            python=python,
            dependencies=listing,
            system_packages=distributions.debian_packages(listing, _feature_release(python)),
            port=found_port,
            models=found_models,
            model_files=(),
            health=found_health,
            lacks_health=lacks_health,
            knows_routes=route_map.complete,
            predict=detect_predict(found_routes, Body.JSON),
            predict_table=detect_predict(found_routes, Body.TABLE),
            env_file=self.env_file(modules),
            golden=self.file("golden.json"),
            dockerfile=self.dockerfile.path if self.dockerfile and own else None,
            environments=self.tree.environments,
            package=self.sources.package,
            remarks=tuple(remarks),
        )

    def module(self, entry: Detected[AppEntry] | None) -> PythonModule | None:
        return self.sources.module(entry.value.path) if entry else None

    def modules(self, entry: Detected[AppEntry] | None) -> tuple[PythonModule, ...]:
        """The modules that the served app consists of; without an entry, those at the top of the folder."""
        start = self.module(entry)
        if start is None or not entry:
            return tuple(self.top_level())
        reachable = self.sources.reachable([start])
        if entry.value.framework != "Django":
            return reachable
        # Django finds its settings, its URLs and its apps by name, not by import.
        own = (each for each in self.tree.ending(".py") if not candidates.is_side_file(each))
        below = (module for each, _ in zip(own, range(200), strict=False) if (module := self.sources.module(each.path)))
        return tuple(dict.fromkeys((*reachable, *below)))

    def top_level(self) -> Iterator[PythonModule]:
        for file in self.tree.ending(".py"):
            if (
                "/" not in file.path
                and not candidates.is_side_file(file)
                and (module := self.sources.module(file.path))
            ):
                yield module

    def starts(self, modules: tuple[PythonModule, ...]) -> tuple[ServerCall, ...]:
        """The calls that start a server, in the app and in scripts at the top that import it."""
        scripts = [each for each in self.top_level() if any(below in modules for below in self.sources.imported(each))]
        every = dict.fromkeys((*modules, *scripts))
        made = {module: candidates.imported_factories(self.sources, module) for module in every}
        return tuple(run for module in every for run in find_server_calls(module, made[module]))

    def dependencies(
        self,
        entry: Detected[AppEntry] | None,
        modules: tuple[PythonModule, ...],
        found_models: tuple[Detected[Model], ...],
        python: Detected[PythonVersion] | None,
    ) -> tuple[DependencyList | None, list[Remark]]:
        """The list that counts, and what is wrong with it."""
        version = _feature_release(python)
        lists = [
            each
            for each in list_dependencies(self.tree, target_environment(version), entry.value.path if entry else "")
            if each.says_something
        ]
        environment = self.environment()
        imported = imports.find_imports(self.sources, modules)
        if not lists:
            libraries = {name: each.source for each in found_models for name in each.value.libraries}
            made_by = consistency.list_model_versions(found_models)
            lists = [imports.list_imports(imported, libraries, environment, made_by)]
        chosen, *others = lists
        if not chosen.says_something:
            return None, []
        remarks = [*consistency.check_list(chosen, version), *consistency.compare_lists(chosen, others)]
        remarks += consistency.find_unread_locks(self.tree, chosen)
        if chosen.origin is not Origin.IMPORTS and not chosen.is_computed:
            remarks += imports.find_unlisted(imported, chosen, environment, self.groups(chosen))
        remarks += consistency.check_models(chosen, found_models)
        # A Dockerfile of the folder's own may have another Python, and a compiler.
        built = "" if self.dockerfile and self.dockerfile.is_used and not self.options.recipe else version
        remarks += pins.check_pins(chosen, found_models, built, imported)
        remarks += imports.find_gone(self.sources, modules, chosen, built)
        remarks += production_checks.check_worker_package(self.config, chosen)
        return chosen, remarks

    def groups(self, chosen: DependencyList) -> dict[str, str]:
        """What only groups and extras of the project list, beside the list that counts."""
        file = self.tree.at(posixpath.dirname(chosen.path)).beside("pyproject.toml")
        return list_group_dependencies(self.tree, file) if file else {}

    def environment(self) -> InstalledDistributions:
        own = InstalledDistributions.inside(self.tree.root, self.tree.environments)
        return self.options.environment or own or InstalledDistributions.activated()

    def env_file(self, modules: Iterable[PythonModule]) -> Detected[str] | None:
        """`.env` at the top, if the app's source loads it."""
        readers = {"dotenv", "decouple", "environs", "environ", "pydantic_settings", "starlette.config"}
        reads = any(name in readers for module in modules for name, _ in module.imports)
        return self.file(".env") if reads and self.env_file_problem is None else None

    @cached_property
    def env_file_problem(self) -> Remark | None:
        """Why `.env` cannot be the env file, as the next command would say; None if it can be, or is not there."""
        if self.tree.get(".env") is None:
            return None
        path = self.tree.root / ".env"
        try:
            read_env_file(path, ".env", HostAccess.of(self.tree.root), dotenv=uses_dotenv(self.tree.root))
        except ConfigError as error:
            line = re.search(r": line ([0-9]+)$", error.where)
            todo = "Correct the line, and set `env_file` in [app] of mldeploy.toml."
            source = Source(".env", int(line[1]) if line else 0)
            return Remark("env-file-unusable", Severity.WARNING, source, f"{error.what}: it is not used", todo)
        return None

    def file(self, path: str) -> Detected[str] | None:
        return Detected(path, Source(path), Certainty.CERTAIN) if self.tree.get(path) else None

    @staticmethod
    def of_entries(apps: Entries, *, own: bool) -> Iterator[Remark]:
        """What is to say of the apps. own: a Dockerfile decides, so that none need be recognized."""
        yield from (each for each in apps.remarks if not own or each.code != "no-entry")

    def of_tree(self) -> Iterator[Remark]:
        yield from find_package(self.tree)[1]
        yield from file_checks.find_unreadable_files(self.tree)
        yield from file_checks.check_dockerignore(self.tree)
        if self.env_file_problem:
            yield self.env_file_problem
        for path in self.tree.outside:
            what = (
                "is a link that leads out of the folder; it was not followed, and the image would not have its content"
            )
            yield Remark("link-outside", Severity.WARNING, Source(path), what, "Put the file itself into the folder.")
        if self.tree.truncated:
            what = "holds more files than were looked at"
            yield Remark("too-many-files", Severity.WARNING, Source("."), what, "Move what is not the app's elsewhere.")

    def of_source(
        self,
        entry: Detected[AppEntry] | None,
        modules: tuple[PythonModule, ...],
        starts: tuple[ServerCall, ...],
        *,
        own: bool,
    ) -> Iterator[Remark]:
        yield from self.sources.remarks
        yield from shadowing.find_shadows(self.tree, modules, entry.value.start_in if entry else "")
        if entry and entry.value.interface is Interface.SCRIPT:
            yield from production_checks.check_script(starts, own=own)
        else:
            yield from production_checks.check_server_calls(starts, own=own)
            yield from production_checks.check_commands(self.commands, starts, own=own)
            yield from () if own else production_checks.check_carried_over(self.commands)
        yield from production_checks.check_allowed_hosts(entry, modules)
        yield from production_checks.check_gunicorn(self.config)
        yield from production_checks.check_environment(self.dockerfile)
        start_in = entry.value.start_in if entry else ""
        yield from opened_files.find_opened_problems(self.tree, modules, start_in)
        yield from required_variables.find_required_variables(self.tree, modules)
        if own:
            yield from start_script.check_start_script(self.tree, self.dockerfile)
            yield from start_script.check_has_command(self.dockerfile)
            yield from start_script.check_overridden(self.dockerfile, self.commands)
        for module in modules:
            yield from production_checks.check_module(module)
            yield from model_loading.find_loads_per_request(module)
            yield from model_loading.find_missing_models(self.tree, module)
            yield from model_loading.find_missing_model_folders(self.tree, module)

    @staticmethod
    def of_health(
        entry: Detected[AppEntry] | None, route_map: RouteMap, *, lacks_health: bool, own: bool
    ) -> Iterator[Remark]:
        if entry and lacks_health and (route_map.routes or not route_map.complete):
            yield no_health_remark(entry, own=own, complete=route_map.complete)

    def of_files(self, ships: PathFilter) -> Iterator[Remark]:
        mentioned = "\n".join(self.tree.text(module.file) for module in self.app)
        yield from secrets.find_secrets(self.tree, self.dockerfile, ships)
        yield from opened_files.find_left_out(self.tree, self.app, self.start_in, ships)
        yield from file_checks.find_bulk_data(self.tree, ships, lambda path: path.rpartition("/")[2] in mentioned)


def _feature_release(python: Detected[PythonVersion] | None) -> str:
    """The image's feature release: "3.11"."""
    return str(python.value) if python else python_version.format_release(python_version.DEFAULT)


def _sort_remarks(remarks: Iterable[Remark]) -> tuple[Remark, ...]:
    order = list(Severity)
    return tuple(sorted(dict.fromkeys(remarks), key=lambda each: (order.index(each.severity), each.source, each.code)))
