"""Everything that is found in a folder, and the walk through all detectors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path

from mldeploy.project.detect import (
    absent,
    broken,
    bulk,
    candidates,
    consistency,
    django,
    dockerfile,
    handlers,
    imports,
    python_version,
    secrets,
    served,
    smells,
    system,
)
from mldeploy.project.detect.command import Command
from mldeploy.project.detect.dependencies import listings
from mldeploy.project.detect.dependency import Listing, Origin, target_environment
from mldeploy.project.detect.entries import choose, entries
from mldeploy.project.detect.entry import Entry
from mldeploy.project.detect.environment import Environment
from mldeploy.project.detect.findings import Certainty, Found, Remark, Severity, Source
from mldeploy.project.detect.frameworks import Interface
from mldeploy.project.detect.models import Model, kept_out, models, shipped
from mldeploy.project.detect.port import claims, port
from mldeploy.project.detect.python_version import Python
from mldeploy.project.detect.routes import Body, predict, routes
from mldeploy.project.detect.runs import Run, runs
from mldeploy.project.detect.serving import health_of, no_health, path_of, unserved
from mldeploy.project.detect.source import Module, Sources
from mldeploy.project.detect.tree import Tree, scan

Ships = Callable[[str], bool]
"""Whether a file, by its path, would get into the image as `.dockerignore` stands."""


@dataclass(frozen=True)
class Folder:
    """What a folder is. Nothing in it is a secret.

    entries: every app, the best first. entry: the one to serve; None if there is none, or no telling which. commands:
    how it is served today, the deciding one first. dependencies: the list that counts, None if the app needs nothing.
    system_packages: what they want of Debian. models: sorted by path. health, predict, predict_table: the routes for
    these purposes, as far as they show. lacks_health: all routes show, and none is for that. env_file: a file of
    environment variables that the app reads itself. dockerfile: the folder's own, which is built instead of mldeploy's
    recipe. environments: virtual ones, as paths. remarks: the worst first.
    """

    root: Path
    entry: Found[Entry] | None
    entries: tuple[Found[Entry], ...]
    commands: tuple[Found[Command], ...]
    python: Found[Python] | None
    dependencies: Listing | None
    system_packages: Found[tuple[str, ...]] | None
    port: Found[int] | None
    models: tuple[Found[Model], ...]
    model_files: tuple[str, ...]
    health: Found[str] | None
    lacks_health: bool
    predict: Found[str] | None
    predict_table: Found[str] | None
    env_file: Found[str] | None
    golden: Found[str] | None
    dockerfile: str | None
    environments: tuple[str, ...]
    remarks: tuple[Remark, ...]


def everything(_: str) -> bool:
    """What ships from a folder without a `.dockerignore`."""
    return True


@dataclass(frozen=True)
class Options:
    """What detection depends on beside the folder.

    entry: the app to take where there are several, as `str(Entry)`. ships: what `.dockerignore` lets through.
    environment: where versions come from that no file says; None is the folder's own virtual environment, else the
    running one. today: decides which Python is dead. recipe: mldeploy's recipe is to be used, even if the folder has a
    Dockerfile.
    """

    entry: str = ""
    ships: Ships = everything
    environment: Environment | None = None
    today: date | None = None
    recipe: bool = False


def detect(root: Path, options: Options | None = None) -> Folder:
    """Read a folder, as source and as data: nothing of it is imported or run, nothing outside of it is read.

    Changes nothing; may be repeated. Raises ProjectError if the folder cannot be read, or has no app `options.entry`.
    """
    options = options or Options()
    return Detection(scan(root), options).folder(options.ships)


class Detection:
    """One run through the detectors. Each sees only what it is given; this is where their findings meet."""

    def __init__(self, tree: Tree, options: Options) -> None:
        self.tree = tree
        self.options = options
        self.app: tuple[Module, ...] = ()
        self.sources = Sources(tree)
        self.dockerfile = dockerfile.find(tree)
        self.commands = served.commands(tree, self.dockerfile)
        self.config = served.gunicorn_config(self.sources, self.commands)

    def folder(self, ships: Ships) -> Folder:
        """What the folder is if this is what would get into the image. Asked again, it does not look again."""
        found = self.found
        remarks = (*found.remarks, *self.of_files(ships), *kept_out(self.tree, found.models, ships))
        told = [each for each in remarks if each.source.path != self.replaced]
        return replace(found, model_files=shipped(self.tree, found.models, ships), remarks=_sorted(told))

    @property
    def replaced(self) -> str:
        """The path of the Dockerfile that is to be replaced, "" for none: what is wrong with it will be gone."""
        return self.dockerfile.path if self.dockerfile and self.options.recipe else ""

    @cached_property
    def found(self) -> Folder:
        """Everything but the remarks that depend on what gets into the image."""
        apps = choose(entries(self.sources, self.commands, self.config), self.options.entry, self.tree.root)
        entry = apps.chosen
        self.app = modules = self.modules(entry)
        starts = self.starts(modules)
        python, python_remarks = python_version.python(
            self.tree,
            self.dockerfile,
            self.options.today or date.today(),  # noqa: DTZ011 - the end of support is a date
        )
        found_models, model_remarks = models(self.tree, modules)
        listing, listing_remarks = self.dependencies(entry, modules, found_models, python)
        found_claims = claims(self.tree, self.commands, self.config, self.dockerfile, starts)
        found_port, port_remarks = port(found_claims, entry.value.framework if entry else "")
        found_routes = routes(modules)
        own = self.dockerfile is not None and self.dockerfile.is_used and not self.options.recipe
        found_health = health_of(entry, found_routes, modules)
        lacks_health = bool(found_routes) and found_health is None
        remarks = [
            *self.of_tree(), *apps.remarks, *unserved(entry, self.module(entry), own=own), *python_remarks,
            *listing_remarks, *port_remarks, *model_remarks, *self.of_source(entry, modules, starts, own=own),
            *([no_health(entry, own=own)] if entry and lacks_health else ()),
        ]  # fmt: skip
        return Folder(
            root=self.tree.root,
            entry=entry,
            entries=apps.found,
            commands=self.commands,
            python=python,
            dependencies=listing,
            system_packages=system.packages(listing, _feature(python)),
            port=found_port,
            models=found_models,
            model_files=(),
            health=found_health,
            lacks_health=lacks_health,
            predict=path_of(predict(found_routes, Body.JSON)),
            predict_table=path_of(predict(found_routes, Body.TABLE)),
            env_file=self.env_file(modules),
            golden=self.file("golden.json"),
            dockerfile=self.dockerfile.path if self.dockerfile and own else None,
            environments=self.tree.environments,
            remarks=tuple(remarks),
        )

    def module(self, entry: Found[Entry] | None) -> Module | None:
        return self.sources.module(entry.value.path) if entry else None

    def modules(self, entry: Found[Entry] | None) -> tuple[Module, ...]:
        """The modules that the served app consists of; without an entry, those at the top of the folder."""
        start = self.module(entry)
        if start is None or not entry:
            return tuple(self.top_level())
        found = self.sources.reachable([start])
        if entry.value.framework != "Django":
            return found
        # Django finds its settings, its URLs and its apps by name, not by import.
        own = (each for each in self.tree.ending(".py") if not candidates.is_aside(each))
        below = (module for each, _ in zip(own, range(200), strict=False) if (module := self.sources.module(each.path)))
        return tuple(dict.fromkeys((*found, *below)))

    def top_level(self) -> Iterator[Module]:
        for file in self.tree.ending(".py"):
            if "/" not in file.path and not candidates.is_aside(file) and (module := self.sources.module(file.path)):
                yield module

    def starts(self, modules: tuple[Module, ...]) -> tuple[Run, ...]:
        """The calls that start a server, in the app and in scripts at the top that import it."""
        scripts = [each for each in self.top_level() if any(below in modules for below in self.sources.imported(each))]
        return tuple(run for module in dict.fromkeys((*modules, *scripts)) for run in runs(module))

    def dependencies(
        self,
        entry: Found[Entry] | None,
        modules: tuple[Module, ...],
        found_models: tuple[Found[Model], ...],
        python: Found[Python] | None,
    ) -> tuple[Listing | None, list[Remark]]:
        """The list that counts, and what is wrong with it."""
        version = _feature(python)
        lists = [
            each
            for each in listings(self.tree, target_environment(version), entry.value.start_in if entry else "")
            if each.says_something
        ]
        environment = self.environment()
        imported = imports.imported(self.sources, modules)
        if not lists:
            libraries = {name: each.source for each in found_models for name in each.value.libraries}
            lists = [imports.listing(imported, libraries, environment)]
        chosen, *others = lists
        if not chosen.says_something:
            return None, []
        remarks = [*consistency.of_listing(chosen, version), *consistency.between(chosen, others)]
        if chosen.origin is not Origin.IMPORTS:
            remarks += imports.missing(imported, chosen, environment)
        remarks += consistency.of_models(chosen, found_models)
        return chosen, remarks

    def environment(self) -> Environment:
        own = Environment.inside(self.tree.root, self.tree.environments)
        return self.options.environment or own or Environment.running()

    def env_file(self, modules: Iterable[Module]) -> Found[str] | None:
        """`.env` at the top, if the app's source loads it."""
        readers = {"dotenv", "decouple", "environs", "environ", "pydantic_settings", "starlette.config"}
        reads = any(name in readers for module in modules for name, _ in module.imports)
        return self.file(".env") if reads else None

    def file(self, path: str) -> Found[str] | None:
        return Found(path, Source(path), Certainty.CERTAIN) if self.tree.get(path) else None

    def of_tree(self) -> Iterator[Remark]:
        yield from broken.of_tree(self.tree)
        for path in self.tree.outside:
            what = (
                "is a link that leads out of the folder; it was not followed, and the image would not have its content"
            )
            yield Remark("link-outside", Severity.WARNING, Source(path), what, "Put the file itself into the folder.")
        if self.tree.truncated:
            what = "holds more files than were looked at"
            yield Remark("too-many-files", Severity.WARNING, Source("."), what, "Move what is not the app's elsewhere.")

    def of_source(
        self, entry: Found[Entry] | None, modules: tuple[Module, ...], starts: tuple[Run, ...], *, own: bool
    ) -> Iterator[Remark]:
        yield from self.sources.remarks
        if entry and entry.value.interface is Interface.SCRIPT:
            yield from smells.of_script(starts, own=own)
        else:
            yield from smells.of_runs(starts, own=own)
            yield from smells.of_commands(self.commands, starts, own=own)
        yield from django.hosts(entry, modules)
        yield from smells.of_gunicorn(self.config)
        yield from smells.of_dockerfile(self.dockerfile)
        for module in modules:
            yield from smells.of_module(module)
            yield from handlers.of_module(module)
            yield from absent.of_module(self.tree, module)

    def of_files(self, ships: Ships) -> Iterator[Remark]:
        mentioned = "\n".join(self.tree.text(module.file) for module in self.app)
        yield from secrets.secrets(self.tree, self.dockerfile, ships)
        yield from bulk.bulk(self.tree, ships, lambda path: path.rpartition("/")[2] in mentioned)


def _feature(python: Found[Python] | None) -> str:
    """The image's feature release: "3.11"."""
    return str(python.value) if python else python_version.text_of(python_version.DEFAULT)


def _sorted(remarks: Iterable[Remark]) -> tuple[Remark, ...]:
    order = list(Severity)
    return tuple(sorted(dict.fromkeys(remarks), key=lambda each: (order.index(each.severity), each.source, each.code)))
