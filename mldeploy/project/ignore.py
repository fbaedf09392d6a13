"""`.dockerignore`, to the letter of the Docker command's classic builder.

The SDK has a matcher of its own, which ignores case, knows no escapes and reads `**` differently: it would let into an
image what the Docker command keeps out. The rules are those of moby's patternmatcher, quirks included, and the tests
ask the Docker command itself.
"""

from __future__ import annotations

import posixpath
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mldeploy.core.files import read_text
from mldeploy.project.errors import ProjectError, unreadable_error

DOCKERIGNORE = ".dockerignore"


@dataclass(frozen=True)
class IgnorePattern:
    """One line: what it matches, and whether it takes back (`!`) what earlier lines excluded."""

    text: str
    takes_back: bool
    regex: re.Pattern[str]

    @classmethod
    def parse(cls, line: str) -> IgnorePattern:
        """Raises ValueError if the line is not a pattern."""
        takes_back = line.startswith("!")
        text = line[takes_back:]
        if not text:
            raise ValueError("nothing follows the `!`")
        if _MALFORMED.search(text):
            raise ValueError("a bracket or a backslash is not closed")
        try:
            return cls(text, takes_back, _compile(text))
        except re.error as error:
            raise ValueError(str(error)) from error


Matches = tuple[bool, ...]
"""Which patterns have matched a path or one of its parents."""


@dataclass(frozen=True)
class Ignore:
    """The patterns of one file, in its order. A path is judged after its parents, with their matches."""

    patterns: tuple[IgnorePattern, ...]

    @classmethod
    def parse(cls, text: str, where: str = DOCKERIGNORE) -> Ignore:
        """Raises ProjectError at the first line that Docker would refuse."""
        patterns = []
        for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
            cleaned = _clean_line(line)
            if not cleaned:
                continue
            try:
                patterns.append(IgnorePattern.parse(cleaned))
            except ValueError as error:
                todo = (
                    "Correct the line; https://docs.docker.com/reference/dockerfile/#dockerignore-file has the rules."
                )
                raise ProjectError(f"{where}:{number}", f"{line.strip()!r} is not a pattern: {error}", todo) from error
        return cls(tuple(patterns))

    @classmethod
    def of(cls, patterns: Iterable[str]) -> Ignore:
        """The patterns given one by one."""
        return cls.parse("\n".join(patterns))

    def judge(self, path: str, parent: Matches = ()) -> tuple[bool, Matches]:
        """Whether a path (relative, with forward slashes) is excluded, and what its children have to know."""
        if self._any is not None:
            excluded = any(parent) or self._any.match(path) is not None
            return excluded, (excluded,)
        excluded = False
        matches = []
        for number, pattern in enumerate(self.patterns):
            matched = bool(parent) and parent[number]
            # A pattern that could not change the verdict is not asked, as in moby: the children's verdict hangs on it.
            if not matched and pattern.takes_back == excluded:
                matched = pattern.regex.match(path) is not None
            matches.append(matched)
            if matched:
                excluded = not pattern.takes_back
        return excluded, tuple(matches)

    @cached_property
    def _any(self) -> re.Pattern[str] | None:
        """All patterns in one, where none takes anything back: then it does not matter which of them matches."""
        if any(each.takes_back for each in self.patterns):
            return None
        return re.compile("|".join(f"(?:{each.regex.pattern})" for each in self.patterns) or r"(?!)", re.ASCII)

    def may_take_back_below(self, folder: str) -> bool:
        """Whether an excluded folder must be entered, since a `!` line names something in it."""
        return any(each.takes_back and f"{each.text}/".startswith(f"{folder}/") for each in self.patterns)


def _clean_line(line: str) -> str:
    """A line without comment and spaces, its path made simple and relative; empty if it says nothing."""
    if line.startswith("#"):
        return ""
    line = line.strip()
    takes_back = line.startswith("!")
    path = line[takes_back:].strip()
    if path:
        path = _clean(path)
        if len(path) > 1:
            path = path.removeprefix("/")
    cleaned = "!" * takes_back + path
    return _clean(cleaned) if cleaned else ""


def _clean(path: str) -> str:
    """Go's filepath.Clean, which knows nothing of the double leading slash that POSIX keeps."""
    return re.sub("^//", "/", posixpath.normpath(path))


# What Go's filepath.Match calls a bad pattern: a class that is empty or open, a backslash at the end.
_CHAR = r"(?:\\.|[^\\\]-])"
_CLASS = rf"\[\^?(?:{_CHAR}(?:-{_CHAR})?)+\]"
_MALFORMED = re.compile(rf"^(?:{_CLASS}|\\.|[^\\\[])*(?:\[(?!\^?(?:{_CHAR}(?:-{_CHAR})?)+\])|\\$)", re.DOTALL)


def _compile(text: str) -> re.Pattern[str]:
    with warnings.catch_warnings():  # `[[` may one day mean something else to Python; to Docker it is a class
        warnings.simplefilter("ignore", FutureWarning)
        return re.compile(_regex(text), re.ASCII)


def _regex(text: str) -> str:
    """The regular expression, for the whole path, that moby makes of a pattern."""
    if not _is_special(text):
        return rf"{re.escape(text)}\Z"
    if text.startswith("**") and not _is_special(text[2:]):
        return _suffix_regex(text[2:])
    if text.endswith("**") and not _is_special(text[:-2]):
        return rf"{re.escape(text[:-2])}[\s\S]*\Z"
    return "".join(_translate(text)) + r"\Z"


def _is_special(text: str) -> bool:
    return any(char in text for char in "*?[]\\")


def _suffix_regex(suffix: str) -> str:
    """`**` and then plain text: whatever ends so; and `**/name` is the name at the top, too."""
    anywhere = rf"[\s\S]*{re.escape(suffix)}\Z"
    return rf"{anywhere}|{re.escape(suffix[1:])}\Z" if suffix.startswith("/") else anywhere


_TOKEN = re.compile(r"\*\*/?|\\.|.", re.DOTALL)


def _translate(text: str) -> Iterator[str]:
    for token in _TOKEN.finditer(text):
        match token[0]:
            case "**" | "**/":
                yield ".*" if token.end() == len(text) else "(.*/)?"
            case "*":
                yield "[^/]*"
            case "?":
                yield "[^/]"
            case "." | "+" | "(" | ")" | "|" | "{" | "}" | "$" as char:
                yield f"\\{char}"
            case other:
                yield other


DEFAULT_IGNORED = (
    *("**/.git", "**/.hg", "**/.svn", "**/.venv", "**/venv", "**/node_modules", "**/.mldeploy"),
    *("**/__pycache__", "**/*.pyc", "**/.ipynb_checkpoints", "**/.DS_Store"),
    *("**/.mypy_cache", "**/.pytest_cache", "**/.ruff_cache", "**/.hypothesis", "**/.tox", "**/.nox"),
    *("**/.env", "**/.env.*", "**/*.env"),
)
"""Excluded from the image of a configured project without a `.dockerignore`, as are its virtual environments."""


def load_dockerignore(folder: Path) -> Ignore | None:
    """The folder's `.dockerignore`, None if there is none. Raises ProjectError."""
    source = folder / DOCKERIGNORE
    try:
        return Ignore.parse(read_text(source, encoding="utf-8", errors="surrogateescape"), str(source))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unreadable_error(source, error) from error


class ImageFilter:
    """Decides by its path whether a file is copied into the image."""

    def __init__(self, ignore: Ignore) -> None:
        self._ignore = ignore

    def __call__(self, path: str) -> bool:
        matches: tuple[bool, ...] = ()
        excluded = False
        parts = path.split("/")
        for depth in range(1, len(parts) + 1):
            excluded, matches = self._ignore.judge("/".join(parts[:depth]), matches)
        return not excluded
