"""Choose the app to serve: a server command decides; without one, there must be exactly one app."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from mldeploy.project.detect.candidates import AppCandidate, list_candidates, make_entry, select_outermost
from mldeploy.project.detect.entry import AppEntry, AppObject
from mldeploy.project.detect.findings import Certainty, Detected, Remark, Severity, Source
from mldeploy.project.detect.frameworks import PLAIN_ASGI, PLAIN_WSGI, FrameworkObject
from mldeploy.project.detect.source.python_source import PythonModule, SourceTree
from mldeploy.project.detect.starts.command import Command, Server
from mldeploy.project.detect.starts.server_starts import GunicornConfig
from mldeploy.project.detect.starts.shell import join_folder
from mldeploy.project.detect.tree import Tree
from mldeploy.project.entry import may_bind
from mldeploy.project.errors import ProjectError

_SHOWN = 8
_OF_FILES = frozenset({Server.PYTHON, Server.BENTOML, Server.PANEL, Server.CHAINLIT, Server.GRADIO})
"""What may serve something else than a module of the folder."""
_ASGI_SERVERS = frozenset({Server.UVICORN, Server.HYPERCORN, Server.DAPHNE, Server.FASTAPI, Server.QUART})


@dataclass(frozen=True)
class Entries:
    """The apps of a folder. entries: every app, best first. chosen: the app to serve, or None."""

    entries: tuple[Detected[AppEntry], ...]
    chosen: Detected[AppEntry] | None
    remarks: tuple[Remark, ...]


def find_entries(
    sources: SourceTree, commands: tuple[Detected[Command], ...], config: GunicornConfig | None
) -> Entries:
    """The apps of the folder, and the one that its own commands serve."""
    every = list_candidates(sources)
    servable = select_outermost(every, sources)
    remarks: list[Remark] = []
    written: list[Detected[AppEntry]] = []
    for command in _with_config(commands, config):
        named = _CommandTarget(sources, every, command).resolve(remarks)
        if named and named.value not in [each.value for each in written]:
            written.append(named)
    known = {(one.value.path, one.value.attribute) for one in written}
    others = (each for each in servable if (each.entry.path, each.entry.attribute) not in known)
    entries = (*written, *(each.detected for each in others))
    if len({each.value for each in written}) > 1:
        remarks.append(_contradiction(written))
    shadowed = [_shadowed(each, fatal=not entries) for each in every if each.package and each.app.attribute]
    remarks += shadowed
    if not entries and not shadowed:
        remarks.append(_no_entry(sources, every))
    chosen = entries[0] if written or len(entries) == 1 else None
    if chosen is None and entries:
        remarks.append(_several(entries))
    return Entries(entries, chosen, tuple(remarks))


def choose_entry(entries: Entries, name: str, root: Path) -> Entries:
    """The same with the entry of a name chosen, "" for the one that is chosen anyway.

    Raises ProjectError if there is none of that name.
    """
    if not name:
        return entries
    chosen = next((each for each in entries.entries if name in {str(each.value), each.value.path}), None)
    if chosen is None and (reason := next((each for each in entries.remarks if each.source.path == name), None)):
        raise ProjectError(f"{root}: {reason.source}", reason.what, reason.todo)
    if chosen is None:
        known = ", ".join(str(each.value) for each in entries.entries) or "none"
        raise ProjectError(str(root), f"there is no app {name!a}", f"Detected apps: {known}.")
    remarks = tuple(remark for remark in entries.remarks if remark.code != "entries-several")
    confirmed = replace(chosen, certainty=max(chosen.certainty, Certainty.LIKELY), reason="")
    every = tuple(confirmed if each is chosen else each for each in entries.entries)
    return Entries(every, confirmed, remarks)


def _with_config(
    commands: tuple[Detected[Command], ...], config: GunicornConfig | None
) -> tuple[Detected[Command], ...]:
    """The commands, with what a gunicorn configuration file lends them, and what its `wsgi_app` serves."""
    if not config:
        return commands
    settings = {name: value for name, (value, _) in config.settings.items()}
    chdir = settings.get("chdir", "").strip("/")
    worker = {"--worker-class": settings["worker_class"]} if "worker_class" in settings else {}

    def lent(command: Command) -> Command:
        if command.server is not Server.GUNICORN:
            return command
        return replace(command, chdir=command.chdir or chdir, options={**worker, **command.options})

    commands = tuple(replace(each, value=lent(each.value)) for each in commands)
    app = config.settings.get("wsgi_app")
    if app is None:
        return commands
    return (*commands, Detected(lent(Command(Server.GUNICORN, target=app[0])), app[1], Certainty.CERTAIN))


class _CommandTarget:
    """What one command serves, looked up in the folder."""

    def __init__(self, sources: SourceTree, every: tuple[AppCandidate, ...], detected: Detected[Command]) -> None:
        self.sources = sources
        self.every = every
        self.detected = detected
        self.command = detected.value

    def resolve(self, remarks: list[Remark]) -> Detected[AppEntry] | None:
        """The entry, or None if the command names none (with a remark if what it names is not there)."""
        target = self.command.target
        if self.command.server is Server.DJANGO:
            return self._first(each for each in self.every if each.entry.framework == "Django")
        if not target:
            return self._fastapi_default() if self.command.server is Server.FASTAPI else None
        if "$" in target or "{" in target.partition("(")[0]:
            return None
        return self._of_target(target, remarks)

    def _of_target(self, target: str, remarks: list[Remark]) -> Detected[AppEntry] | None:
        if target.endswith(".py") and ":" not in target:
            return self._of_file(target)
        name, _, attribute = target.partition(":")
        module = self._module(name)
        if module is None:
            if self.command.server not in _OF_FILES:
                remarks.append(self._without_module(name))
            return None
        if not attribute and self.command.server in {Server.FLASK, Server.QUART}:
            return self._of_module(module)
        return self._named(module, attribute or "application", remarks)

    def _fastapi_default(self) -> Detected[AppEntry] | None:
        """The app that `fastapi run` takes without a name. Standard: FastAPI, "FastAPI CLI"."""
        names = (f"{folder}{name}.py" for folder in ("", "app/") for name in ("main", "app", "api"))
        return next((entry for name in names if (entry := self._of_file(name))), None)

    def _module(self, name: str) -> PythonModule | None:
        return next((module for path in self._chances(name) if (module := self.sources.module(path))), None)

    def _chances(self, name: str) -> tuple[str, ...]:
        below = name.replace(".", "/")
        # What an option adds to the path comes first there.
        folders = (*(join_folder(self.command.chdir, each) for each in self.command.imports), self.command.chdir)
        paths = ("/".join(part for part in (folder, below) if part) for folder in folders)
        root = self.sources.package.root if self.sources.package else ""
        return tuple(
            name
            for path in (*paths, below, f"{root}/{below}".strip("/"))
            for name in (f"{path}/__init__.py", f"{path}.py")
        )

    def _without_module(self, name: str) -> Remark:
        file = self.sources.tree.first(*self._chances(name))
        if file is None:
            return self._missing(f"{name.replace('.', '/')}.py, which is not there")
        broken = next(
            (each.source for each in self.sources.remarks if each.source.path == file.path), Source(file.path)
        )
        return self._missing(f"{broken}, which is not Python 3 that can be read")

    def _named(self, module: PythonModule, attribute: str, remarks: list[Remark]) -> Detected[AppEntry] | None:
        name, brackets, rest = attribute.partition("(")
        arguments = rest.rpartition(")")[0]
        factory = bool(brackets) or "--call" in self.command.options or "--factory" in self.command.options
        for each in self.every:
            if each.module is module and each.app.attribute == name:
                return self._certain(replace(each.entry, factory=each.app.factory, arguments=arguments))
        if not may_bind(module.tree, name):
            there = [str(each.entry) for each in self.every if each.module is module]
            hint = f"; {there[0]} is there" if there else ""
            remarks.append(self._missing(f"`{name}` in {module.file.path}, which has no such name{hint}"))
            return None
        kind = self._kind_behind(module, name) or (PLAIN_ASGI if self._is_asgi() else PLAIN_WSGI)
        entry = make_entry(self.sources, module, AppObject(name, kind, 0, factory))
        return self._certain(replace(entry, arguments=arguments))

    def _kind_behind(self, module: PythonModule, name: str) -> FrameworkObject | None:
        """The framework of an app that a module imports under this name: `from shop import app`."""
        owner, _, attribute = module.aliases.get(name, "").rpartition(".")
        file = self.sources.local(owner or ".", module)
        for each in self.every:
            if file and each.module.file.path == file.path and each.app.attribute == attribute:
                return each.app.kind
        return None

    def _is_asgi(self) -> bool:
        worker = self.command.options.get("-k") or self.command.options.get("--worker-class") or ""
        asgi = self.command.options.get("--interface", "").startswith("asgi")
        return self.command.server in _ASGI_SERVERS or "uvicorn" in worker.lower() or asgi

    def _of_file(self, path: str) -> Detected[AppEntry] | None:
        """The app in a script, or the one that it imports and starts."""
        path = "/".join(part for part in (self.command.chdir, path.removeprefix("./")) if part)
        module = self.sources.module(path) or self.sources.module(self.command.target.removeprefix("./"))
        return self._of_module(module) if module else None

    def _of_module(self, module: PythonModule) -> Detected[AppEntry] | None:
        own = [each for each in self.every if each.module is module and each.is_servable]
        if own:
            return self._first(own)
        below = {each.file.path for each in self.sources.reachable([module])}
        return self._first(each for each in self.every if each.module.file.path in below and each.is_servable)

    def _first(self, chances: Iterable[AppCandidate]) -> Detected[AppEntry] | None:
        chance = next(iter(chances), None)
        return self._certain(chance.entry) if chance else None

    def _certain(self, entry: AppEntry) -> Detected[AppEntry]:
        """The entry, started where the command starts it."""
        folder = self.command.chdir
        if folder and entry.path.startswith(f"{folder}/"):
            entry = entry.inside(folder)
        return Detected(entry, self.detected.source, Certainty.CERTAIN)

    def _missing(self, what: str) -> Remark:
        todo = "Correct the command, or the name in the source."
        return Remark("entry-missing", Severity.ERROR, self.detected.source, f"serves {what}", todo)


def _contradiction(written: list[Detected[AppEntry]]) -> Remark:
    first, *others = written
    rest = ", ".join(f"{each.source} serves {each.value}" for each in others)
    what = f"serves {first.value}, but {rest}"
    return Remark(
        "entries-differ",
        Severity.WARNING,
        first.source,
        what,
        f"{first.value} is used. Set `entry` in mldeploy.toml, or correct the commands.",
    )


def _several(entries: tuple[Detected[AppEntry], ...]) -> Remark:
    names = ", ".join(f"{each.value} ({each.value.framework}, {each.source})" for each in entries[:_SHOWN])
    names += f" and {len(entries) - _SHOWN} more" if len(entries) > _SHOWN else ""
    todo = "Choose one: `mldeploy init --entry NAME`, or `entry` in mldeploy.toml."
    return Remark("entries-several", Severity.ERROR, Source("."), f"holds several apps: {names}", todo)


def _no_entry(sources: SourceTree, every: tuple[AppCandidate, ...]) -> Remark:
    """Why there is no entry, as precisely as the source allows."""
    for each in every:
        if not each.package:
            return _not_servable(each)
    for broken in sources.remarks:
        what = f"{broken.what}; no other file makes a web app"
        return Remark("no-entry", Severity.ERROR, broken.source, what, "Correct the file.")
    if not sources.tree.ending(".py"):
        return _no_source(sources.tree)
    what = "holds no web app that could be recognized (Flask, Dash, Django, Bottle, FastAPI, … or a WSGI callable)"
    return Remark("no-entry", Severity.ERROR, Source("."), what, "Name it: `entry` in mldeploy.toml.")


def _no_source(tree: Tree) -> Remark:
    if notebooks := tree.ending(".ipynb"):
        what = "holds notebooks, but no app that answers requests"
        serve = f"mldeploy init --from-notebook {shlex.quote(notebooks[0].path)}"
        todo = f"Serve the model that a notebook saves: `{serve}`. Or write an app.py that loads it and answers."
    else:
        what = "holds no Python source" if tree.files else "is empty"
        todo = "Name the app's folder: `mldeploy -C DIR …`."
    return Remark("no-entry", Severity.ERROR, Source("."), what, todo)


def _shadowed(each: AppCandidate, *, fatal: bool) -> Remark:
    what = f"makes an app that no server can import: Python takes the package {each.package}/ of the same name instead"
    severity = Severity.ERROR if fatal else Severity.WARNING
    return Remark("entry-unreachable" if fatal else "entry-shadowed", severity, each.source, what, "Rename the file.")


def _not_servable(each: AppCandidate) -> Remark:
    framework = each.app.kind.framework
    if each.app.needs_arguments:
        what = f"`{each.app.attribute}` returns the {framework} app, but requires arguments that a server cannot pass"
        todo = f"Give every parameter a default, or call it in a wsgi.py: `app = {each.app.attribute}(…)`."
    elif framework == "Bottle":
        what = "the app is the default app of Bottle, which has no name that a server can import"
        todo = "Add `app = bottle.default_app()` after the last route."
    else:
        what = f"the {framework} app exists only inside a function, where no server can reach it"
        todo = "Make it at the top level of the module (`app = …`), or in a function that returns it."
    return Remark("entry-unreachable", Severity.ERROR, each.source, what, todo)
