"""The simple commands of a shell text, in the order in which they stand.

The grammar is that of bash (tree-sitter-bash). Reference: https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node

LIMIT = 1 << 15
"""Characters of a text that are read: start scripts are a page long. On text that is no shell, the parser's time grows
with the square of the length."""

_CONTINUED = re.compile(r"(?<=[^\s\\])\\\n(?=\S)")
_NOT_RUN = frozenset({"command_substitution", "process_substitution", "heredoc_body", "comment"})
_REDIRECTIONS = frozenset({"file_redirect", "heredoc_redirect", "herestring_redirect"})
_ANSI = re.compile(r"\\(?:x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})|([0-7]{1,3})|(.))", re.DOTALL)
_ANSI_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "e": "\x1b", "f": "\f", "v": "\v"}


@dataclass(frozen=True)
class ShellCommand:
    """One simple command.

    words: after quotes are removed; `$NAME` and the like stay as written. environment: what the text assigns before it.
    folder: where it runs, from the folder in which the text starts; an absolute path after `cd /…`. line: from 1.
    """

    words: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: str = ""
    line: int = 1


@dataclass
class _ShellState:
    """What a command inherits from those before it."""

    folder: str
    environment: dict[str, str]

    def copy(self) -> _ShellState:
        """The state of a subshell, whose changes end with it."""
        return _ShellState(self.folder, dict(self.environment))


def parse_shell(text: str, folder: str = "", environment: Mapping[str, str] | None = None) -> Iterator[ShellCommand]:
    """Yield the simple commands of a text, also those in lists, pipelines, subshells, conditions and functions.

    Never raises: what bash would refuse is passed over, and so is a text with a NUL, which is no script.
    """
    if "\0" in text[:LIMIT]:
        return
    from tree_sitter import Language, Parser  # noqa: PLC0415 - few folders hold a command
    from tree_sitter_bash import language  # noqa: PLC0415

    text = _CONTINUED.sub("", text[:LIMIT].replace("\r\n", "\n"))  # the grammar takes it for the end of a word
    data = text.encode("utf-8", "surrogatepass")
    root = Parser(Language(language())).parse(data).root_node
    nodes = [(root, _ShellState(folder, dict(environment or {})))]
    while nodes:
        node, state = nodes.pop()
        if node.type == "command":
            yield from _read_command(node, state)
        elif node.type == "variable_assignment":
            state.environment |= _assignment(node)
        elif node.type not in _NOT_RUN and node.type not in _REDIRECTIONS:
            inner = state.copy() if node.type == "subshell" else state
            nodes += [(child, inner) for child in reversed(node.named_children)]


def join_folder(folder: str, other: str) -> str:
    """The folder that `cd other` leads to; "" is the one in which the text starts. Standard: POSIX cd."""
    if other.startswith("$"):  # a variable that nothing here sets: the same folder is the best guess
        return folder
    path = posixpath.normpath(posixpath.join(folder, other or "."))
    return "" if path == "." else path


def _read_command(node: Node, state: _ShellState) -> Iterator[ShellCommand]:
    environment = dict(state.environment)
    words = []
    for child in node.children:
        if child.type == "variable_assignment":
            environment |= _assignment(child)
        elif child.type not in _REDIRECTIONS:
            words.append(_word(child.children[0] if child.type == "command_name" else child))
    if words[:1] in (["cd"], ["pushd"]):
        target = next((word for word in words[1:] if not word.startswith("-")), "")
        state.folder = join_folder(state.folder, target) if target else state.folder
    elif words:
        yield ShellCommand(tuple(words), environment, state.folder, node.start_point.row + 1)


def _assignment(node: Node) -> dict[str, str]:
    name = node.child_by_field_name("name")
    value = node.child_by_field_name("value")
    return {_source(name): _word(value) if value else ""} if name else {}


def _source(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "surrogatepass")


def _word(node: Node) -> str:
    """A word without its quotes."""
    text = _source(node)
    match node.type:
        case "raw_string":
            return text[1:-1]
        case "string" | "translated_string":
            return re.sub(r'\\([$`"\\\n])', lambda match: match[1].strip("\n"), text.lstrip("$")[1:-1])
        case "ansi_c_string":
            return _ANSI.sub(_ansi_character, text[2:-1])
        case "concatenation":
            return "".join(map(_word, node.children))
        case "word" | "number" | "extglob_pattern" | "regex":
            return re.sub(r"\\(.)", lambda match: match[1].strip("\n"), text, flags=re.DOTALL)
        case _:
            return text


def _ansi_character(match: re.Match[str]) -> str:
    digits = match[1] or match[2]
    if digits:
        return chr(int(digits, 16))
    return chr(int(match[3], 8) % 256) if match[3] else _ANSI_LETTERS.get(match[4], match[4])
