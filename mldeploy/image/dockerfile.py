"""As much of the Dockerfile's language as a user's own file asks for: where its stages begin, and on what.

The engine has the last word on everything else. Reference: https://docs.docker.com/reference/dockerfile/.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_ESCAPE = re.compile(r"#\s*escape\s*=\s*([`\\])\s*\Z", re.IGNORECASE)
_DIRECTIVE = re.compile(r"#\s*\w+\s*=")
_COPY_FROM = re.compile(r"(?:--\S+\s+)*--from=(\S+)")
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?:(:?[-+])([^}]*))?\})")


@dataclass(frozen=True)
class Instruction:
    """keyword: upper case. rest: what follows it, on one line, without comments. end: the instruction's last line."""

    keyword: str
    rest: str
    end: int


def instructions(text: str) -> Iterator[Instruction]:
    """The instructions of a Dockerfile in their order, continued lines joined. Lines are counted from 0."""
    lines = text.splitlines()
    escape = _escape(lines)
    parts: list[str] = []
    for number, line in enumerate(lines):
        words = line.strip()
        if not words or words.startswith("#"):  # inside an instruction, too, they are as if they were not there
            continue
        continues = words.endswith(escape)
        parts.append(words.removesuffix(escape).strip())
        if not continues:
            keyword, _, rest = " ".join(parts).partition(" ")
            yield Instruction(keyword.upper(), rest.strip(), number)
            parts = []


def _escape(lines: list[str]) -> str:
    for line in lines:
        if match := _ESCAPE.match(line.strip()):
            return match[1]
        if not _DIRECTIVE.match(line.strip()):
            break
    return "\\"


def label(labels: Mapping[str, str], escape: str = "\\") -> str:
    """A LABEL instruction, on one line."""
    return "LABEL " + " ".join(f'{name}="{_quoted(value, escape)}"' for name, value in labels.items())


def _quoted(value: str, escape: str) -> str:
    return re.sub(r'["$\\`]', lambda match: escape + match[0], " ".join(value.split()))


def labelled(text: str, every: Mapping[str, str], last: Mapping[str, str]) -> str:
    """The same Dockerfile with labels at the start of every stage, and more at the end of the last."""
    lines = text.splitlines()
    escape = _escape(lines)
    ends = [each.end for each in instructions(text) if each.keyword == "FROM"]
    for end in reversed(ends):
        lines.insert(end + 1, label(every, escape))
    return "\n".join((*lines, label(last, escape), ""))


def bases(text: str, args: Mapping[str, str]) -> tuple[str, ...]:
    """The images that a Dockerfile starts from or copies from, without its own stages; `args` are the build's."""
    known: dict[str, str] = {}
    stages = {"scratch"}
    found: dict[str, None] = {}
    for each in instructions(text):
        words = [word for word in each.rest.split() if not word.startswith("--")]
        if each.keyword == "ARG" and stages == {"scratch"} and not found:
            name, _, default = each.rest.partition("=")
            known[name] = args.get(name, default.strip("\"'"))
        elif each.keyword == "FROM" and words:
            found.setdefault(_substituted(words[0], known))
            stages.update(word.lower() for word in words[2:3])
        elif each.keyword == "COPY" and (source := _COPY_FROM.match(each.rest)) and not source[1].isdigit():
            found.setdefault(source[1])
    return tuple(image for image in found if image and image.lower() not in stages)


def _substituted(word: str, known: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        given = known.get(match[1] or match[2], "")
        operator, other = match[3] or "", match[4] or ""
        if operator.endswith("-"):
            return given or other
        return other if operator.endswith("+") and given else "" if operator else given

    return _VARIABLE.sub(value, word.strip("\"'"))
