"""A command line that is being typed: its words without quotes, and what of the last one a shell will replace."""

from __future__ import annotations

from dataclasses import dataclass, field

_ESCAPED_IN_DOUBLE_QUOTES = '"$`\\'
_REPLACED_BREAKS = "$@"
"""Readline's rl_special_prefixes: they end a word, and belong to the next one."""


@dataclass(frozen=True)
class TypedLine:
    """A command line up to the cursor, without its quotes.

    words: the complete words, the program first. current: the word at the cursor, "" between words. kept: the
    beginning of `current` that bash leaves as it is, up to a character of COMP_WORDBREAKS or an open quote. quote: the
    quote that is open at the cursor, or "".
    """

    words: tuple[str, ...]
    current: str = ""
    kept: str = ""
    quote: str = ""


@dataclass
class _Scanner:
    breaks: str
    words: list[str] = field(default_factory=list)
    value: str = ""
    kept: str = ""
    quote: str = ""
    escaped: bool = False
    inside: bool = False
    """A word has begun, which may still be empty: `''`."""

    def take(self, character: str) -> None:
        if self.escaped:
            self._take_escaped(character)
        elif character == "\\" and self.quote != "'":
            self.escaped = self.inside = True
        elif self.quote:
            self._take_quoted(character)
        elif character in "'\"":
            self.quote, self.kept, self.inside = character, self.value, True
        elif character.isspace():
            self._end_word()
        else:
            self.value += character
            self.inside = True
            if character in self.breaks:
                self.kept = self.value[:-1] if character in _REPLACED_BREAKS else self.value

    def _take_escaped(self, character: str) -> None:
        self.escaped = False
        is_escape = not self.quote or character in _ESCAPED_IN_DOUBLE_QUOTES
        self.value += character if is_escape else f"\\{character}"

    def _take_quoted(self, character: str) -> None:
        if character == self.quote:
            self.quote, self.kept = "", self.value
        else:
            self.value += character

    def _end_word(self) -> None:
        if self.inside:
            self.words.append(self.value)
        self.value, self.kept, self.inside = "", "", False


def parse_line(line: str, breaks: str = "") -> TypedLine:
    """Parse a line that ends at the cursor, by the rules of POSIX shells. breaks: bash's COMP_WORDBREAKS."""
    scanner = _Scanner(breaks)
    for character in line:
        scanner.take(character)
    return TypedLine(tuple(scanner.words), scanner.value, scanner.kept, scanner.quote)
