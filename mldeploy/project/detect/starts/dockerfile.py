"""What an existing Dockerfile says of the app: base image, port, command, and where the app's files are.

A stage takes over what the stage that it is based on sets; what a base image sets is known to the engine alone.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from mldeploy.core.parsing import parse_json
from mldeploy.project.detect.findings import Source
from mldeploy.project.detect.starts.command import Command, parse_words
from mldeploy.project.detect.starts.dockerfile_syntax import (
    DockerfileInstruction,
    escape_character,
    parse_instructions,
    split_lines,
)
from mldeploy.project.detect.starts.dockerfile_words import WordLexer
from mldeploy.project.detect.tree import Tree, TreeFile

__all__ = [
    "Dockerfile",
    "DockerfileInstruction",
    "Stage",
    "escape_character",
    "find_dockerfile",
    "parse_instructions",
    "read_dockerfile",
    "read_stages",
]

_MOST_PORTS = 100
"""Of a range such as `EXPOSE 8000-9000`."""


@dataclass(frozen=True)
class Copied:
    """One source of a COPY from the build context. into: the absolute path that its content gets."""

    source: str
    into: str


@dataclass(frozen=True)
class Stage:
    """What a stage sets, with the stages below it. Build arguments are filled in with their defaults.

    image: its FROM, "" if the image cannot be known before the build. parent: the number of the stage that it is based
    on. platform: of its FROM, "" for the build's. uses: images and numbers of stages that it copies from or mounts.
    exposed: as `docker inspect` shows them ("80/tcp"). entrypoint and cmd: with the shell where the file has the
    shell form; None if the file sets none.
    """

    image: str
    source: Source
    parent: int | None = None
    platform: str = ""
    uses: tuple[str | int, ...] = ()
    environment: Mapping[str, tuple[str, Source]] = field(default_factory=dict)
    exposed: Mapping[str, Source] = field(default_factory=dict)
    workdir: str = ""
    user: str = ""
    entrypoint: tuple[tuple[str, ...], Source] | None = None
    cmd: tuple[tuple[str, ...], Source] | None = None
    shell: tuple[str, ...] = ("/bin/sh", "-c")
    copied: tuple[Copied, ...] = ()


@dataclass(frozen=True)
class ContextFolders:
    """Which folder of the project a folder of the image shows."""

    tree: Tree
    file: TreeFile
    copied: tuple[Copied, ...]
    workdir: str

    def map_command(self, command: Command) -> Command:
        """The command with its folders below the project's."""
        start = posixpath.normpath(posixpath.join(self.workdir, command.chdir))
        imports = (self.find(posixpath.normpath(posixpath.join(start, each))) for each in command.imports)
        target = posixpath.relpath(command.target, start) if command.target.startswith("/") else command.target
        chdir = self.find(start)
        target = target if chdir else self._renamed(target, start)
        return replace(command, chdir=chdir, imports=tuple(filter(None, imports)), target=target)

    def _renamed(self, target: str, start: str) -> str:
        """`app.main:app` as the project has it, where `COPY src /code/app` gives the package another name."""
        name, colon, attribute = target.partition(":")
        parts = name.split(".")
        if "/" in name or self._exists(parts[0]) or self.tree.get(f"{parts[0]}.py"):
            return target
        for each in self.copied:
            for count in range(1, len(parts) + 1):
                into = posixpath.join(start, *parts[:count])
                if each.into == into and each.source and (folder := self._in_context(each.source)):
                    return ".".join([*folder.split("/"), *parts[count:]]) + colon + attribute
                if each.into == f"{into}.py" and count == len(parts) and self.tree.get(each.source):
                    return each.source.removesuffix(".py").replace("/", ".") + colon + attribute
        return target

    def find(self, folder: str) -> str:
        """The folder below the project's that lies at an absolute path of the image, "" if that is not known."""
        chances = []
        for each in self.copied:
            if folder == each.into or folder.startswith(each.into.rstrip("/") + "/"):
                chances.append(posixpath.join(each.source, posixpath.relpath(folder, each.into)))
            elif each.into.startswith(folder.rstrip("/") + "/"):
                below = posixpath.relpath(each.into, folder)
                if f"/{each.source}".endswith(f"/{below}"):  # COPY backend/shop /app/shop
                    chances.append(each.source[: len(each.source) - len(below)])
        paths = [posixpath.normpath(each).strip("/") for each in chances]
        existing = [context for path in paths if (context := self._in_context(path)) is not None]
        return next((path for path in existing if self._has_source(path)), existing[0] if existing else "")

    def _in_context(self, path: str) -> str | None:
        """A path of the build context below the project's folder: the context is that, or the Dockerfile's folder."""
        path = "" if path == "." else path
        chances = [path, posixpath.join(self.file.folder, path).strip("/")] if path else ["", self.file.folder]
        if not path and self.file.folder and not self._has_source(""):
            chances.reverse()
        return next((each for each in chances if each == "" or self._exists(each)), None)

    def _exists(self, folder: str) -> bool:
        return any(each.path.startswith(f"{folder}/") for each in self.tree.files)

    def _has_source(self, folder: str) -> bool:
        return any(each.folder == folder for each in self.tree.ending(".py"))


@dataclass(frozen=True)
class Dockerfile:
    """The last stage of a Dockerfile, since that is what runs. Build arguments are filled in with their defaults."""

    path: str
    base: tuple[str, Source] | None
    environment: Mapping[str, tuple[str, Source]]
    exposed: tuple[tuple[int, Source], ...]
    command: tuple[Command, Source] | None
    user: str = ""
    words: tuple[str, ...] = ()
    """ENTRYPOINT and CMD together."""
    scripts: Mapping[str, str] = field(default_factory=dict)
    """The texts that heredocs put into files of the image, by name."""
    folders: ContextFolders | None = field(default=None, repr=False, compare=False)

    @property
    def is_used(self) -> bool:
        """It lies where the configuration looks for one: then it is built instead of mldeploy's recipe."""
        return self.path == "Dockerfile"

    def in_project(self, command: Command) -> Command:
        """A command of the image with its folders as seen from the project's; "" where that is not known."""
        return self.folders.map_command(command) if self.folders else command


def find_dockerfile(tree: Tree) -> Dockerfile | None:
    """The folder's Dockerfile: at its top, or the only one below."""
    below = tree.named("Dockerfile")
    file = tree.first("Dockerfile", "dockerfile") or (below[0] if len(below) == 1 else None)
    return read_dockerfile(tree, file) if file else None


def read_dockerfile(tree: Tree, file: TreeFile) -> Dockerfile:
    """Whatever of it can be understood; an instruction that cannot is passed over."""
    text = tree.text(file)
    stages = read_stages(text, path=file.path)
    if not stages:
        return Dockerfile(file.path, None, {}, (), None)
    last = stages[-1]
    base = last
    while base.parent is not None:
        base = stages[base.parent]
    ports = ((int(port.partition("/")[0]), at) for port, at in last.exposed.items() if port.endswith("/tcp"))
    return Dockerfile(
        path=file.path,
        base=(base.image, base.source),
        environment=last.environment,
        exposed=tuple(ports),
        command=_read_command(last),
        user=last.user,
        words=_start_words(last),
        scripts=_written_scripts(text),
        folders=ContextFolders(tree, file, last.copied, last.workdir or "/"),
    )


def read_stages(text: str, args: Mapping[str, str] | None = None, path: str = "Dockerfile") -> tuple[Stage, ...]:
    """The stages of a Dockerfile. args: values of build arguments. Never raises: what is no instruction is ignored."""
    reader = _StageReader(WordLexer(escape_character(split_lines(text))), args or {}, path)
    for each in parse_instructions(text):
        reader.read(each)
    return tuple(reader.stages)


class _StageReader:
    """Reads instructions one after another. The last stage is the one that is being read."""

    def __init__(self, lexer: WordLexer, args: Mapping[str, str], path: str) -> None:
        self.lexer = lexer
        self.args = args
        self.path = path
        self.stages: list[Stage] = []
        self.names: dict[str, int] = {}
        self.globals: dict[str, str] = dict(args)
        self.declared: list[dict[str, str]] = []
        self.has_cmd = False

    def read(self, each: DockerfileInstruction) -> None:
        source = Source(self.path, each.line)
        if each.keyword == "FROM":
            self._from(each, source)
        elif each.keyword == "ARG":
            self._arg(each.arguments)
        elif self.stages:
            self.stages[-1] = self._changed(self.stages[-1], each, source)

    def _from(self, each: DockerfileInstruction, source: Source) -> None:
        words = each.arguments.split()
        image = self.lexer.expand(words[0], self.globals) if words else ""
        parent = self.names.get(image.lower())
        platform = self.lexer.expand(dict(each.flags).get("platform", ""), {"BUILDPLATFORM": "another", **self.globals})
        if parent is None:
            self.stages.append(Stage(image, source, platform=platform))
            self.declared.append({})
        else:
            self.stages.append(replace(self.stages[parent], parent=parent, uses=(), source=source))
            self.declared.append(dict(self.declared[parent]))
        self.has_cmd = False
        if len(words) == 3 and words[1].lower() == "as":
            self.names[words[2].lower()] = len(self.stages) - 1

    def _arg(self, text: str) -> None:
        """`ARG A B=x C="$B y"`: each sees those before it."""
        for word in self.lexer.split(text):
            name, equals, value = word.partition("=")
            if not self.stages:
                if name in self.args:
                    continue
                if equals:
                    self.globals[name] = self.lexer.expand(value, self.globals)
            elif name in self.args or (not equals and name in self.globals):
                self.declared[-1][name] = self.args.get(name, self.globals.get(name, ""))
            elif equals:
                self.declared[-1][name] = self.lexer.expand(value, self._values)

    @property
    def _values(self) -> dict[str, str]:
        """What variables stand for: ENV comes before ARG."""
        environment = {name: value for name, (value, _) in self.stages[-1].environment.items()}
        return {**self.declared[-1], **environment}

    def _changed(self, stage: Stage, each: DockerfileInstruction, source: Source) -> Stage:
        """The stage with what an instruction changes of its image's configuration."""
        result = stage
        match each.keyword:
            case "ENV":
                pairs = {name: (value, source) for name, value in self._pairs(each.rest)}
                result = replace(stage, environment={**stage.environment, **pairs})
            case "EXPOSE":
                result = replace(stage, exposed={**stage.exposed, **dict.fromkeys(self._ports(each.rest), source)})
            case "WORKDIR":
                folder = posixpath.join(stage.workdir or "/", self._expand(each.rest))
                result = replace(stage, workdir=posixpath.normpath(folder))
            case "USER":
                result = replace(stage, user=self._expand(each.rest))
            case "SHELL":
                result = replace(stage, shell=_json_words(each.rest) or stage.shell)
            case "CMD":
                self.has_cmd = True
                result = replace(stage, cmd=(_exec_form(each.rest, stage.shell), source))
            case "ENTRYPOINT":  # what an earlier stage set is void, but not a CMD of this one
                cmd = stage.cmd if self.has_cmd else None
                result = replace(stage, entrypoint=(_exec_form(each.rest, stage.shell), source), cmd=cmd)
            case "COPY" | "ADD" | "RUN":
                result = self._with_sources(stage, each)
            case _:
                pass
        return result

    def _expand(self, text: str) -> str:
        return self.lexer.expand(text, self._values)

    def _pairs(self, text: str) -> Iterator[tuple[str, str]]:
        """`ENV A=1 B="x y"`, and the old `ENV A 1`. Each value sees what the lines before set."""
        values = self._values
        words = self.lexer.split(text)
        if words and "=" not in words[0]:
            name, _, rest = text.strip().replace("\t", " ").partition(" ")
            yield self.lexer.expand(name, values), self.lexer.expand(rest.strip(), values)
            return
        for word in words:
            name, equals, value = word.partition("=")
            if equals:
                yield self.lexer.expand(name, values), self.lexer.expand(value, values)

    def _ports(self, text: str) -> Iterator[str]:
        for word in self.lexer.expand_words(text, self._values):
            match = re.fullmatch(r"(?:.*:)?([0-9]{1,5})(?:-([0-9]{1,5}))?(?:/(\w+))?", word)
            if match:
                first, last = int(match[1]), int(match[2] or match[1])
                for port in range(max(first, 1), min(last, first + _MOST_PORTS, 65535) + 1):
                    yield f"{port}/{(match[3] or 'tcp').lower()}"

    def _with_sources(self, stage: Stage, each: DockerfileInstruction) -> Stage:
        """The stage with what COPY, ADD and `RUN --mount` take from elsewhere."""
        if each.keyword == "RUN":
            mounts = (value for name, value in each.flags if name == "mount")
            named = [part[5:] for mount in mounts for part in mount.split(",") if part.startswith("from=")]
        else:
            named = [value for name, value in each.flags if name == "from"]
        uses = [self._stage_or_image(self._expand(name)) for name in named]
        copied = () if named or each.keyword == "RUN" else tuple(self._copied(each.arguments, stage))
        return replace(stage, uses=(*stage.uses, *uses), copied=(*stage.copied, *copied))

    def _stage_or_image(self, name: str) -> str | int:
        if name.isdigit() and int(name) < len(self.stages) - 1:
            return int(name)
        return self.names.get(name.lower(), name)

    def _copied(self, text: str, stage: Stage) -> Iterator[Copied]:
        """What COPY takes from the build context, and where it puts it. Standard: the rules of COPY on destinations."""
        words = _json_words(text) or tuple(self.lexer.split(text))
        *sources, target = [self._expand(word) for word in words] or [""]
        into = posixpath.join(stage.workdir or "/", target)
        is_folder = target.endswith(("/", ".")) or len(sources) > 1
        for source in sources:
            path = posixpath.normpath(source.lstrip("/") or ".")
            path = "" if path == "." else path
            name = posixpath.basename(path)
            inside = is_folder and "." in name and not source.endswith("/")  # most likely a file
            yield Copied(path, posixpath.normpath(posixpath.join(into, name) if inside else into))


def _exec_form(text: str, shell: tuple[str, ...]) -> tuple[str, ...]:
    """The words that run: those of a JSON form, or the shell and its text."""
    words = _json_words(text)
    return (*shell, text) if words is None else words


def _json_words(text: str) -> tuple[str, ...] | None:
    try:
        words = parse_json(text) if text.startswith("[") else None
    except ValueError:
        return None
    return tuple(words) if isinstance(words, list) and all(isinstance(word, str) for word in words) else None


def _read_command(stage: Stage) -> tuple[Command, Source] | None:
    """CMD appended to ENTRYPOINT; the shell form of ENTRYPOINT ignores CMD."""
    parts = [part for part in (stage.entrypoint, stage.cmd) if part]
    words = _mended(_start_words(stage))
    environment = {name: value for name, (value, _) in stage.environment.items()}
    command = parse_words(words, "", environment) if words else None
    return (command, parts[-1][1]) if command else None


def _start_words(stage: Stage) -> tuple[str, ...]:
    return tuple(word for part in (stage.entrypoint, stage.cmd) if part for word in part[0])


def _mended(words: tuple[str, ...]) -> tuple[str, ...]:
    """The words, without the brackets of a JSON form whose quotes JSON does not know: `CMD ['python', 'app.py']`."""
    if len(words) == 3 and words[1] == "-c" and words[2].startswith("['"):
        return tuple(word.strip(" '\"") for word in words[2].strip("[]").split(","))
    return words


def _written_scripts(text: str) -> dict[str, str]:
    """`COPY <<EOF /start.sh`: the texts by the name of the file."""
    scripts = {}
    for each in parse_instructions(text):
        if each.heredocs and each.keyword == "COPY":
            target = each.arguments.split()[-1]
            scripts[posixpath.basename(target)] = each.heredocs[0]
    return scripts
