"""The shell lines of the documentation: which there are, and which program each starts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
FENCE = re.compile(r"^ *```(?P<language>\w*)\n(?P<block>.*?)^ *```", re.MULTILINE | re.DOTALL)
SHELL = {"", "console", "bash", "sh"}
VENDORS = ("aws", "az", "docker", "gcloud", "gh", "git", "kubectl")
"""Programs of others. Their lines need an account or a cluster of the reader's, and are not run."""

_CALL = re.compile(r"(?:^|[\s|(])(?:\w+=\S+ )*mldeploy(?= |$)")
_INDENTED = re.compile(r"^    (?=mldeploy |\w+=\S+ mldeploy |\w+=\$\(mldeploy |curl ).*$", re.MULTILINE)
_HEADING = re.compile(r"^#+ (?P<title>.+)$", re.MULTILINE)
_SEPARATOR = re.compile(r"\s(?:\||&&|<|>|;)(?:\s|$)")
_SPAN = re.compile(r"`(?P<call>[^`\n]+)`")


@dataclass(frozen=True)
class Line:
    """A command as a reader types it. page: its path in the repository. section: the heading above it."""

    page: str
    section: str
    text: str

    @property
    def calls_mldeploy(self) -> bool:
        return bool(_CALL.search(self.text)) and not self.text.startswith("pip ")


def lines_of(page: Path) -> Iterator[Line]:
    """The shell lines of a page, in order: continued ones joined, without prompts and comments."""
    name = page.relative_to(ROOT).as_posix()
    yield from (Line(name, section, text) for section, text in shell_lines(page.read_text(encoding="utf-8")))


def shell_lines(text: str) -> Iterator[tuple[str, str]]:
    """The same for a text: the heading above each line, and the line."""
    titles = [(each.start(), each["title"]) for each in _HEADING.finditer(FENCE.sub(_blank, text))]
    for position, lines in sorted(_blocks(text)):
        above = [title for start, title in titles if start < position]
        yield from ((above[-1] if above else "", line) for line in lines)


def calls(line: str) -> Iterator[str]:
    """The calls of mldeploy in a line, without variables, other programs and redirections."""
    for part in _SEPARATOR.split(line.replace("$(", " | ").replace(")", " ")):
        if match := re.match(r"\s*(?:\w+=\S* )*(?P<call>mldeploy(?: .*)?)$", part):
            yield match["call"]


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])


def _blocks(text: str) -> Iterator[tuple[int, list[str]]]:
    """Position and lines of each block that a reader could copy into a shell."""
    for match in FENCE.finditer(text):
        if match["language"] in SHELL:
            yield match.start(), [*_typed(match["block"], prompt="$ " if match["language"] == "console" else "")]
    for match in _INDENTED.finditer(FENCE.sub(_blank, text)):
        yield match.start(), [*_typed(match[0], prompt="")]


def _typed(block: str, prompt: str) -> Iterator[str]:
    for line in re.sub(r"\\\n\s*", "", block).splitlines():
        stripped = re.sub(r"\s{2,}# .*$", "", line.strip())
        if stripped.startswith(prompt) and stripped:
            yield stripped.removeprefix(prompt)


def vendor_lines(page: Path) -> Iterator[str]:
    """Lines and inline code with a program of others, as written."""
    text = page.read_text(encoding="utf-8")
    spans = [match["call"] for match in _SPAN.finditer(FENCE.sub("", text))]
    for line in (*(each.text for each in lines_of(page)), *spans):
        if line.startswith(tuple(f"{each} " for each in VENDORS)):
            yield line
