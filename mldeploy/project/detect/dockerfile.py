"""What an existing Dockerfile says of the app: base image, port, command."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from mldeploy.project.detect.command import Command, parse, parse_words
from mldeploy.project.detect.findings import Source
from mldeploy.project.detect.tree import File, Tree
from mldeploy.project.dockerfile import Instruction, instructions

_VARIABLE = re.compile(r"\$\{(\w+)(?::?-([^}]*))?\}|\$(\w+)")


@dataclass(frozen=True)
class Dockerfile:
    """The last stage of a Dockerfile, since that is what runs. Build arguments are filled in with their defaults."""

    path: str
    base: tuple[str, Source] | None
    environment: dict[str, tuple[str, Source]]
    exposed: tuple[tuple[int, Source], ...]
    command: tuple[Command, Source] | None

    @property
    def is_used(self) -> bool:
        """It lies where the configuration looks for one: then it is built instead of mldeploy's recipe."""
        return self.path == "Dockerfile"


def find(tree: Tree) -> Dockerfile | None:
    """The folder's Dockerfile: at its top, or the only one below."""
    below = tree.named("Dockerfile")
    file = tree.first("Dockerfile", "dockerfile") or (below[0] if len(below) == 1 else None)
    return read(tree, file) if file else None


def read(tree: Tree, file: File) -> Dockerfile:
    """Whatever of it can be understood; an instruction that cannot is passed over."""
    return _Reader(file.path).run(tuple(instructions(tree.text(file))))


class _Reader:
    def __init__(self, path: str) -> None:
        self.path = path
        self.arguments: dict[str, str] = {}
        self.stages: dict[str, tuple[str, Source]] = {}
        self.clear()

    def clear(self) -> None:
        """A new stage knows nothing of the one before it, except what it inherits by name."""
        self.base: tuple[str, Source] | None = None
        self.environment: dict[str, tuple[str, Source]] = {}
        self.exposed: list[tuple[int, Source]] = []
        self.workdir = ""
        self.entrypoint: tuple[list[str], Source] | None = None
        self.cmd: tuple[list[str], Source] | None = None

    def run(self, found: tuple[Instruction, ...]) -> Dockerfile:
        for each in found:
            self.read(each, Source(self.path, each.line))
        command = self.command()
        return Dockerfile(self.path, self.base, self.environment, tuple(self.exposed), command)

    def read(self, each: Instruction, source: Source) -> None:
        match each.keyword:
            case "FROM":
                self._from(each.rest, source)
            case "ARG":
                name, _, value = each.rest.partition("=")
                self.arguments[name.strip()] = self.filled(_unquoted(value))
            case "ENV":
                self.environment |= {name: (self.filled(value), source) for name, value in _pairs(each.rest)}
            case "EXPOSE":
                self.exposed += [(port, source) for port in self._ports(each.rest)]
            case "CMD":
                self.cmd = (_words(each.rest), source)
            case "ENTRYPOINT":
                self.entrypoint = (_words(each.rest), source)
                self.cmd = None  # what a base image or an earlier line had set is void

    def _from(self, text: str, source: Source) -> None:
        words = [word for word in text.split() if not word.startswith("--")]
        image = self.filled(words[0]) if words else ""
        self.clear()
        self.base = self.stages.get(image.lower(), (image, source))
        if len(words) == 3 and words[1].lower() == "as":
            self.stages[words[2].lower()] = self.base

    def _ports(self, text: str) -> Iterator[int]:
        for word in self.filled(text).split():
            port = word.partition("/")[0]
            if re.fullmatch(r"[0-9]{1,5}", port) and 0 < int(port) < 65536:
                yield int(port)

    def command(self) -> tuple[Command, Source] | None:
        """CMD appended to ENTRYPOINT, as Docker does where both are in JSON form."""
        parts = [part for part in (self.entrypoint, self.cmd) if part]
        if not parts:
            return None
        words = [word for part, _ in parts for word in part]
        command = parse(words[0]) if len(words) == 1 and " " in words[0] else parse_words(words)
        return (command, parts[-1][1]) if command else None

    def filled(self, text: str) -> str:
        """Variables replaced by what this file says of them; those it does not know stay as they are."""

        def value(match: re.Match[str]) -> str:
            name = match[1] or match[3]
            known = self.environment.get(name)
            return known[0] if known else self.arguments.get(name) or match[2] or match[0]

        return _VARIABLE.sub(value, text)


def _words(text: str) -> list[str]:
    """The words of a JSON form; a shell form is one word with spaces in it."""
    if text.startswith("["):
        try:
            words = json.loads(text)
        except (ValueError, RecursionError):
            words = None
        if isinstance(words, list) and all(isinstance(word, str) for word in words):
            return words
        return [text.strip("[]").replace('"', "").replace("'", "").replace(",", " ")]  # quotes that JSON does not know
    return [text]


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """`ENV A=1 B="x y"`, and the old `ENV A 1`."""
    head = text.split(maxsplit=1)
    if len(head) == 2 and "=" not in head[0]:
        yield head[0], head[1]
        return
    for match in re.finditer(r"""(\w+)=("(?:\\.|[^"\\])*"|'[^']*'|(?:\\.|[^\s\\])*)""", text):
        yield match[1], _unquoted(match[2])


def _unquoted(text: str) -> str:
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text
