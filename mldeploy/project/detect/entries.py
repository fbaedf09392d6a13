"""Which of the folder's apps is to be served: what is written down decides, else there must be only one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from mldeploy.project.detect.candidates import Candidate, candidates, entry_of, outermost
from mldeploy.project.detect.command import Command, Server
from mldeploy.project.detect.entry import App, Entry
from mldeploy.project.detect.findings import Certainty, Found, Remark, Severity, Source
from mldeploy.project.detect.frameworks import PLAIN_ASGI, PLAIN_WSGI, Kind
from mldeploy.project.detect.served import GunicornConfig
from mldeploy.project.detect.source import Module, Sources
from mldeploy.project.detect.tree import Tree
from mldeploy.project.entry import may_bind
from mldeploy.project.errors import ProjectError

_SHOWN = 8
_ASGI_SERVERS = frozenset({Server.UVICORN, Server.HYPERCORN, Server.DAPHNE})


@dataclass(frozen=True)
class Entries:
    """found: every candidate, the best first. chosen: the one to serve, None if there is none or no telling which."""

    found: tuple[Found[Entry], ...]
    chosen: Found[Entry] | None
    remarks: tuple[Remark, ...]


def entries(sources: Sources, commands: tuple[Found[Command], ...], config: GunicornConfig | None) -> Entries:
    """The apps of the folder, and the one that its own commands serve."""
    every = candidates(sources)
    servable = outermost(every, sources)
    remarks: list[Remark] = []
    written: list[Found[Entry]] = []
    for command in _with_config(commands, config):
        named = _Target(sources, every, command).resolve(remarks)
        if named and named.value not in [each.value for each in written]:
            written.append(named)
    known = {(one.value.path, one.value.attribute) for one in written}
    others = (each for each in servable if (each.entry.path, each.entry.attribute) not in known)
    found = (*written, *(each.found for each in others))
    if len({each.value for each in written}) > 1:
        remarks.append(_contradiction(written))
    if not found:
        remarks.append(_nothing(sources, every))
    chosen = found[0] if written or len(found) == 1 else None
    if chosen is None and found:
        remarks.append(_several(found))
    return Entries(found, chosen, tuple(remarks))


def choose(found: Entries, name: str, root: Path) -> Entries:
    """The same with the entry of a name chosen, "" for the one that is chosen anyway.

    Raises ProjectError if there is none of that name.
    """
    if not name:
        return found
    chosen = next((each for each in found.found if name in {str(each.value), each.value.path}), None)
    if chosen is None:
        known = ", ".join(str(each.value) for each in found.found) or "none"
        raise ProjectError(str(root), f"no app {name!a} was found", f"Found: {known}.")
    remarks = tuple(remark for remark in found.remarks if remark.code != "entries-several")
    return Entries(found.found, chosen, remarks)


def _with_config(commands: tuple[Found[Command], ...], config: GunicornConfig | None) -> tuple[Found[Command], ...]:
    """The commands, with what a gunicorn configuration file lends them, and what its `wsgi_app` serves."""
    if not config:
        return commands
    said = {name: value for name, (value, _) in config.settings.items()}
    chdir = said.get("chdir", "").strip("/")
    worker = {"--worker-class": said["worker_class"]} if "worker_class" in said else {}

    def lent(command: Command) -> Command:
        if command.server is not Server.GUNICORN:
            return command
        return replace(command, chdir=command.chdir or chdir, options={**worker, **command.options})

    commands = tuple(replace(each, value=lent(each.value)) for each in commands)
    app = config.settings.get("wsgi_app")
    if app is None:
        return commands
    return (*commands, Found(lent(Command(Server.GUNICORN, target=app[0])), app[1], Certainty.CERTAIN))


class _Target:
    """What one command serves, looked up in the folder."""

    def __init__(self, sources: Sources, every: tuple[Candidate, ...], found: Found[Command]) -> None:
        self.sources = sources
        self.every = every
        self.found = found
        self.command = found.value

    def resolve(self, remarks: list[Remark]) -> Found[Entry] | None:
        """The entry, or None if the command names none (with a remark if what it names is not there)."""
        target = self.command.target
        if self.command.server is Server.DJANGO:
            return self._first(each for each in self.every if each.entry.framework == "Django")
        if not target or any(char in target for char in "${"):
            return None
        if target.endswith(".py") and ":" not in target:
            return self._of_file(target)
        name, _, attribute = target.partition(":")
        module = self._module(name)
        if module is None:
            if self.command.server is not Server.PYTHON:
                remarks.append(self._without_module(name))
            return None
        if not attribute and self.command.server is Server.FLASK:
            return self._of_module(module)
        return self._named(module, attribute or "application", remarks)

    def _module(self, name: str) -> Module | None:
        return next((module for path in self._chances(name) if (module := self.sources.module(path))), None)

    def _chances(self, name: str) -> tuple[str, ...]:
        below = name.replace(".", "/")
        path = "/".join(part for part in (self.command.chdir, below) if part)
        return f"{path}.py", f"{path}/__init__.py", f"{below}.py"

    def _without_module(self, name: str) -> Remark:
        file = self.sources.tree.first(*self._chances(name))
        if file is None:
            return self._missing(f"{name.replace('.', '/')}.py, which is not there")
        broken = next(
            (each.source for each in self.sources.remarks if each.source.path == file.path), Source(file.path)
        )
        return self._missing(f"{broken}, which is not Python 3 that can be read")

    def _named(self, module: Module, attribute: str, remarks: list[Remark]) -> Found[Entry] | None:
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
        entry = entry_of(self.sources, module, App(name, kind, 0, factory))
        return self._certain(replace(entry, arguments=arguments))

    def _kind_behind(self, module: Module, name: str) -> Kind | None:
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

    def _of_file(self, path: str) -> Found[Entry] | None:
        """The app in a script, or the one that it imports and starts."""
        path = "/".join(part for part in (self.command.chdir, path.removeprefix("./")) if part)
        module = self.sources.module(path)
        return self._of_module(module) if module else None

    def _of_module(self, module: Module) -> Found[Entry] | None:
        own = [each for each in self.every if each.module is module and each.is_servable]
        if own:
            return self._first(own)
        below = {each.file.path for each in self.sources.reachable([module])}
        return self._first(each for each in self.every if each.module.file.path in below and each.is_servable)

    def _first(self, chances: Iterable[Candidate]) -> Found[Entry] | None:
        chance = next(iter(chances), None)
        return self._certain(chance.entry) if chance else None

    def _certain(self, entry: Entry) -> Found[Entry]:
        """The entry, started where the command starts it. (uvicorn's --app-dir is for imports alone.)"""
        folder = "" if "--app-dir" in self.command.options else self.command.chdir
        if folder and entry.path.startswith(f"{folder}/"):
            entry = entry.inside(folder)
        return Found(entry, self.found.source, Certainty.CERTAIN)

    def _missing(self, what: str) -> Remark:
        todo = "Correct the command, or the name in the source."
        return Remark("entry-missing", Severity.ERROR, self.found.source, f"serves {what}", todo)


def _contradiction(written: list[Found[Entry]]) -> Remark:
    first, *others = written
    rest = ", ".join(f"{each.source} serves {each.value}" for each in others)
    what = f"serves {first.value}, but {rest}"
    return Remark(
        "entries-differ", Severity.WARNING, first.source, what, f"{first.value} was taken; say so in one place."
    )


def _several(found: tuple[Found[Entry], ...]) -> Remark:
    names = ", ".join(f"{each.value} ({each.value.framework}, {each.source})" for each in found[:_SHOWN])
    names += f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    todo = "Choose one: `mldeploy init --entry NAME`, or `entry` in mldeploy.toml."
    return Remark("entries-several", Severity.ERROR, Source("."), f"holds several apps: {names}", todo)


def _nothing(sources: Sources, every: tuple[Candidate, ...]) -> Remark:
    """Why there is no entry, as precisely as the source allows."""
    for each in every:
        return _not_servable(each)
    for broken in sources.remarks:
        what = f"{broken.what}; no other file makes a web app"
        return Remark("no-entry", Severity.ERROR, broken.source, what, "Correct the file.")
    if not sources.tree.ending(".py"):
        return _no_source(sources.tree)
    what = "holds no web app that could be recognized (Flask, Dash, Django, Bottle, FastAPI, … or a WSGI callable)"
    return Remark("no-entry", Severity.ERROR, Source("."), what, "Name it: `entry` in mldeploy.toml.")


def _no_source(tree: Tree) -> Remark:
    if tree.ending(".ipynb"):
        what = "holds notebooks, but no app that answers requests"
        todo = "Write an app.py that loads the model and answers requests; a notebook cannot be served."
    else:
        what = "holds no Python source" if tree.files else "is empty"
        todo = "Name the app's folder: `mldeploy -C DIR …`."
    return Remark("no-entry", Severity.ERROR, Source("."), what, todo)


def _not_servable(each: Candidate) -> Remark:
    framework = each.app.kind.framework
    if each.app.needs_arguments:
        what = f"`{each.app.attribute}` returns the {framework} app, but wants arguments that no server can give it"
        todo = f"Give every parameter a default, or call it in a wsgi.py: `app = {each.app.attribute}(…)`."
    elif framework == "Bottle":
        what = "the app is Bottle's default one, which has no name that a server could be told"
        todo = "Add `app = bottle.default_app()` after the last route."
    else:
        what = f"the {framework} app exists only inside a function, where no server can reach it"
        todo = "Make it at the top level of the module (`app = …`), or in a function that returns it."
    return Remark("entry-unreachable", Severity.ERROR, each.source, what, todo)
