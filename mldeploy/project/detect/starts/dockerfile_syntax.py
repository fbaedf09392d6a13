"""The instructions of a Dockerfile, split as BuildKit splits them.

Reference: https://docs.docker.com/reference/dockerfile/ and moby/buildkit, frontend/dockerfile/parser/parser.go.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mldeploy.project.detect.starts.dockerfile_words import WordLexer

_ESCAPE = re.compile(r"#\s*escape\s*=\s*([`\\])\s*\Z", re.IGNORECASE)
_DIRECTIVE = re.compile(r"#\s*\w+\s*=")
_SPACE = " \t\r\v\f"
_HEREDOC = re.compile(r"\d*<<(-?)([^<]+)")
_WITH_HEREDOC = frozenset({"ADD", "COPY", "RUN"})


@dataclass(frozen=True)
class DockerfileInstruction:
    """keyword: upper case. rest: what follows it, on one line, without comments. Lines are counted from 1.

    heredocs: their texts. is_open: the file ends before the instruction does.
    """

    keyword: str
    rest: str
    line: int
    end: int
    heredocs: tuple[str, ...] = ()
    is_open: bool = False

    @property
    def flags(self) -> tuple[tuple[str, str], ...]:
        """The names and values of `--name=value` before the arguments."""
        words = re.match(r"(?:--\S+\s+)*(?:--\S+)?", self.rest)
        pairs = (word.removeprefix("--").partition("=") for word in (words[0] if words else "").split())
        return tuple((name, value) for name, _, value in pairs)

    @property
    def arguments(self) -> str:
        """What follows the flags."""
        return re.sub(r"\A(?:--\S+(?:\s+|\Z))*", "", self.rest)


def split_lines(text: str) -> list[str]:
    """The lines of a Dockerfile: only a line feed ends one."""
    return text.removeprefix("\ufeff").split("\n")


def parse_instructions(text: str) -> Iterator[DockerfileInstruction]:
    """The instructions of a Dockerfile in their order, continued lines joined, heredocs apart."""
    return _InstructionReader(split_lines(text)).read()


class _InstructionReader:
    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.at = 0
        sign = re.escape(escape_character(lines))
        self.continued = re.compile(rf"(?:(?<=[^{sign}])|^){sign}[ \t]*$")
        self.sign = sign[-1]

    def read(self) -> Iterator[DockerfileInstruction]:
        while self.at < len(self.lines):
            if not self._is_skipped(self.lines[self.at]):
                yield self._instruction()
            self.at += 1

    @staticmethod
    def _is_skipped(line: str) -> bool:
        """An empty line or a comment; inside an instruction, too, they are as if they were not there."""
        bare = line.strip(_SPACE)
        return not bare or bare.startswith("#")

    def _instruction(self) -> DockerfileInstruction:
        start = self.at + 1
        text, goes_on = self._take_line(self.lines[self.at].lstrip(_SPACE))
        while goes_on and self.at + 1 < len(self.lines):
            self.at += 1
            if not self._is_skipped(self.lines[self.at]):
                part, goes_on = self._take_line(self.lines[self.at])
                text += part
        keyword, rest = (*re.split(r"[ \t\r\v\f]+", text.strip(_SPACE), maxsplit=1), "")[:2]
        heredocs, complete = self._heredocs(keyword.upper(), rest)
        open_ended = goes_on or not complete
        return DockerfileInstruction(keyword.upper(), rest.strip(_SPACE), start, self.at + 1, heredocs, open_ended)

    def _take_line(self, line: str) -> tuple[str, bool]:
        """A line without the sign that continues it, and whether it goes on."""
        line = line.rstrip("\r")
        bare = self.continued.sub("", line)
        return bare, bare != line

    def _heredocs(self, keyword: str, rest: str) -> tuple[tuple[str, ...], bool]:
        if keyword == "ONBUILD":
            keyword, _, rest = rest.partition(" ")
        if "<<" not in rest or keyword.upper() not in _WITH_HEREDOC:
            return (), True
        texts: list[str] = []
        for word in WordLexer(self.sign).split(rest):
            if (match := _HEREDOC.fullmatch(word)) and (name := re.sub(r"[\"']", "", match[2])):
                text = self._heredoc(name, tabs=bool(match[1]))
                if text is None:
                    return tuple(texts), False
                texts.append(text)
        return tuple(texts), True

    def _heredoc(self, name: str, *, tabs: bool) -> str | None:
        lines: list[str] = []
        while self.at + 1 < len(self.lines):
            self.at += 1
            line = self.lines[self.at].rstrip("\r")
            line = line.lstrip("\t") if tabs else line
            if line == name:
                return "\n".join(lines)
            lines.append(line)
        return None


def escape_character(lines: list[str]) -> str:
    """The sign that continues a line: the first lines may name another one than the backslash."""
    for line in lines:
        if match := _ESCAPE.match(line.strip()):
            return match[1]
        if not _DIRECTIVE.match(line.strip()):
            break
    return "\\"
