"""How the app is served today: what a Procfile, a Dockerfile, a gunicorn configuration file and scripts say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from mldeploy.project.detect.command import Command, Server, parse
from mldeploy.project.detect.dockerfile import Dockerfile
from mldeploy.project.detect.findings import Certainty, Found, Source
from mldeploy.project.detect.source import Module, Sources
from mldeploy.project.detect.static import constant, variable
from mldeploy.project.detect.tree import Tree

_GUNICORN_FILES = ("gunicorn.conf.py", "gunicorn_config.py", "gunicorn_conf.py", "gunicorn.config.py", "gunicorn.py")


@dataclass(frozen=True)
class GunicornConfig:
    """What a gunicorn configuration file sets, each with its place; what it computes is not there."""

    path: str
    settings: dict[str, tuple[str, Source]]
    variable: str
    """The environment variable that the port is taken from, "" if none."""

    @property
    def bind(self) -> tuple[str, Source] | None:
        return self.settings.get("bind")


def commands(tree: Tree, dockerfile: Dockerfile | None) -> tuple[Found[Command], ...]:
    """Every server command that is written down, the deciding one first: Procfile, then Dockerfile, then scripts."""
    found = [each for command in _procfile(tree) for each in _followed(tree, command)]
    found += of_dockerfile(tree, dockerfile) if dockerfile else ()
    return tuple(found or _scripts(tree))


def of_dockerfile(tree: Tree, dockerfile: Dockerfile) -> tuple[Found[Command], ...]:
    """What a Dockerfile starts, by itself or by a script of the folder's."""
    if not dockerfile.command:
        return ()
    command, source = dockerfile.command
    return tuple(_followed(tree, Found(_with_environment(command, dockerfile), source, Certainty.CERTAIN)))


def _with_environment(command: Command, dockerfile: Dockerfile) -> Command:
    """The command with what the Dockerfile's ENV lends it: FLASK_APP, FLASK_RUN_HOST, PORT."""
    environment = {name: value for name, (value, _) in dockerfile.environment.items()}
    target = command.target
    host, port = command.host, command.port
    if command.server is Server.FLASK:
        target = target or environment.get("FLASK_APP", "")
        host = host or environment.get("FLASK_RUN_HOST", "")
        text = environment.get("FLASK_RUN_PORT", "")
        port = port or (int(text) if re.fullmatch(r"[0-9]{1,5}", text) else None)
    return replace(command, target=target, host=host, port=port)


def _procfile(tree: Tree) -> Iterator[Found[Command]]:
    file = tree.get("Procfile")
    for number, line in enumerate(tree.lines(file) if file else [], start=1):
        match = re.fullmatch(r"\s*web\s*:\s*(.+?)\s*", line)
        command = parse(match[1]) if match else None
        if command:
            yield Found(command, Source("Procfile", number), Certainty.CERTAIN)


def _followed(tree: Tree, found: Found[Command]) -> Iterator[Found[Command]]:
    """The command, or those that the shell script holds which it runs."""
    if not found.value.script:
        yield found
        return
    wanted = found.value.script.rpartition("/")[2]
    for file in tree.named(wanted)[:1]:
        yield from _script(tree, file.path)


def _scripts(tree: Tree) -> Iterator[Found[Command]]:
    """Start scripts at the top of the folder, where nothing else says how the app is served."""
    for name in ("start.sh", "run.sh", "entrypoint.sh", "docker-entrypoint.sh", "boot.sh", "serve.sh"):
        if tree.get(name):
            yield from _script(tree, name)


def _script(tree: Tree, path: str) -> Iterator[Found[Command]]:
    """The commands of a script; `python migrate.py` before a server is a preparation."""
    file = tree.get(path)
    found: list[Found[Command]] = []
    for number, line in enumerate(tree.lines(file) if file else [], start=1):
        command = parse(line) if not line.lstrip().startswith("#") else None
        if command and command.server:
            found.append(Found(command, Source(path, number), Certainty.LIKELY))
    servers = [each for each in found if each.value.server is not Server.PYTHON]
    yield from servers or found


def gunicorn_config(sources: Sources, found: tuple[Found[Command], ...]) -> GunicornConfig | None:
    """The configuration file that a gunicorn command names, else the one with the usual name."""
    named = [each.value.config for each in found if each.value.server is Server.GUNICORN and each.value.config]
    for path in (*named, *_GUNICORN_FILES):
        module = sources.module(path.removeprefix("python:"))
        if module and (path in named or _is_config(module)):
            return _config(module)
    return None


def _is_config(module: Module) -> bool:
    return bool(
        {"bind", "workers", "wsgi_app", "worker_class", "threads", "timeout", "accesslog"} & module.constants.keys()
    )


def _config(module: Module) -> GunicornConfig:
    settings: dict[str, tuple[str, Source]] = {}
    for name, value in module.constants.items():
        known = constant(value, module)
        if known is not None:
            settings[name] = (str(known), module.at(value))
    return GunicornConfig(module.file.path, settings, variable(module.constants.get("bind"), module))
