"""The command of an app in a Compose file. Reference: https://docs.docker.com/reference/compose-file/services/."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import replace

from mldeploy.project.detect.documents import line_of, list_at, load_yaml, table_at, text_at, value_at
from mldeploy.project.detect.findings import Certainty, Detected, Source
from mldeploy.project.detect.starts.command import Command, parse_command, parse_words
from mldeploy.project.detect.tree import Tree

FILES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")


def compose_commands(tree: Tree) -> Iterator[Detected[Command]]:
    """Yield the server commands of the services that are built from the folder; if none is, of all services."""
    file = tree.first(*FILES)
    services = table_at(load_yaml(tree.text(file)), "services") if file else {}
    if file is None:
        return
    built = {name: service for name, service in services.items() if value_at(service, "build") is not None}
    for name, service in (built or services).items():
        command = _read_service(service)
        if command:
            yield Detected(command, Source(file.path, _line(tree.lines(file), name)), Certainty.LIKELY)


def _line(lines: list[str], service: str) -> int:
    """The line of a service's command, else of the service."""
    start = line_of(lines, rf"\s+[\"']?{re.escape(service)}[\"']?\s*:")
    return start + line_of(lines[start:], r"\s+(?:command|entrypoint)\s*:") if start else 0


def _read_service(service: object) -> Command | None:
    environment = _read_environment(service)
    words = [word for key in ("entrypoint", "command") for word in _words(service, key)]
    texts = [text_at(service, key).replace("$$", "$") for key in ("entrypoint", "command")]
    text = " ".join(each for each in texts if each)
    command = parse_words(words, "", environment) if words else parse_command(text, environment)
    if command is None or (command.server is None and not command.script):
        return None
    context = text_at(service, "build") or text_at(service, "build", "context")
    folder = posixpath.normpath(posixpath.join(context or ".", command.chdir))
    outside = folder.startswith(("..", "/")) or "://" in context or folder == "."
    return replace(command, chdir="" if outside else folder)


def _words(service: object, key: str) -> list[str]:
    return [str(word).replace("$$", "$") for word in list_at(service, key)]


def _read_environment(service: object) -> dict[str, str]:
    """`environment` as a mapping or as a list of NAME=VALUE."""
    pairs = (str(each).partition("=") for each in list_at(service, "environment"))
    table = {name: str(value) for name, value in table_at(service, "environment").items()}
    return {name: value for name, _, value in pairs} | table
