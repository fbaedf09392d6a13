"""Words of a Dockerfile: quotes, escapes and variables, as BuildKit replaces them.

Reference: https://docs.docker.com/reference/dockerfile/#environment-replacement and moby/buildkit,
frontend/dockerfile/shell/lex.go.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_NAME = re.compile(r"[A-Za-z_]\w*|[0-9@*#?$!-]", re.ASCII)
_OPERATOR = re.compile(r":?[-+?]|##?|%%?|//?")
_MOST_NESTED = 50


class WordLexer:
    """Reads words. sign: the escape character of the file."""

    def __init__(self, sign: str = "\\") -> None:
        self.sign = sign

    def split(self, text: str) -> list[str]:
        """The words of a text, with their quotes. A space within quotes, braces or after an escape splits nothing."""
        words: list[str] = []
        current = ""
        quote = ""
        braces = 0
        at = 0
        while at < len(text):
            char = text[at]
            if char == self.sign and quote != "'" and at + 1 < len(text):
                current += text[at : at + 2]
                at += 2
                continue
            if quote:
                quote = "" if char == quote else quote
            elif char in "\"'":
                quote = char
            if text.startswith("${", at):
                braces += 1
            elif char == "}" and braces:
                braces -= 1
            if char.isspace() and not quote and not braces:
                words += [current] if current else []
                current = ""
            else:
                current += char
            at += 1
        return [*words, current] if current else words

    def expand(self, text: str, values: Mapping[str, str]) -> str:
        """A word without its quotes, and with its variables replaced; an unset one is empty."""
        return _Expansion(text, self.sign, values).run()

    def expand_words(self, text: str, values: Mapping[str, str]) -> list[str]:
        """The words of a text, each expanded, and split again where a variable outside of quotes held spaces."""
        expanded = []
        for word in self.split(text):
            result = self.expand(word, values)
            expanded += result.split() if "$" in word and not set(word) & {'"', "'"} else [result]
        return expanded


class _Expansion:
    def __init__(self, text: str, sign: str, values: Mapping[str, str], depth: int = 0) -> None:
        self.text = text
        self.sign = sign
        self.values = values
        self.depth = depth
        self.at = 0

    def run(self, end: str = "") -> str:
        """Read up to a character outside of quotes, or to the end."""
        result = ""
        while self.at < len(self.text):
            char = self.text[self.at]
            if end and char == end:
                break
            if char == "'":
                result += self._single_quoted()
            elif char == '"':
                result += self._double_quoted()
            elif char == "$":
                result += self._variable()
            elif char == self.sign:
                result += self.text[self.at + 1 : self.at + 2]
                self.at += 2
            else:
                result += char
                self.at += 1
        return result

    def _single_quoted(self) -> str:
        end = self.text.find("'", self.at + 1)
        end = len(self.text) if end < 0 else end
        inner = self.text[self.at + 1 : end]
        self.at = end + 1
        return inner

    def _double_quoted(self) -> str:
        result = ""
        self.at += 1
        while self.at < len(self.text) and self.text[self.at] != '"':
            char = self.text[self.at]
            following = self.text[self.at + 1 : self.at + 2]
            if char == "$":
                result += self._variable()
            elif char == self.sign and following in {'"', "$", self.sign}:
                result += following
                self.at += 2
            else:
                result += char
                self.at += 1
        self.at += 1
        return result

    def _variable(self) -> str:
        self.at += 1
        if self.text[self.at : self.at + 1] == "{":
            return self._braced()
        match = _NAME.match(self.text, self.at)
        if match is None:
            return "$"
        self.at = match.end()
        return self.values.get(match[0], "")

    def _braced(self) -> str:
        start = self.at
        self.at += 1
        match = _NAME.match(self.text, self.at)
        if match is None or self.depth > _MOST_NESTED:
            self.at = len(self.text)
            return "$" + self.text[start:]
        self.at = match.end()
        operator = _OPERATOR.match(self.text, self.at)
        if operator:
            self.at = operator.end()
        inner = _Expansion(self.text, self.sign, self.values, self.depth + 1)
        inner.at = self.at
        word = inner.run("}")
        self.at = inner.at + 1
        return _apply(operator[0] if operator else "", self.values.get(match[0]), word)


def _apply(operator: str, value: str | None, word: str) -> str:
    """The result of `${NAME<operator>word}`."""
    text = value or ""
    is_set = bool(text) if operator.startswith(":") else value is not None
    if operator.endswith("-"):
        return text if is_set else word
    if operator.endswith("+"):
        return word if is_set else ""
    if operator[:1] in {"#", "%", "/"} and operator:
        return _trim(operator, text, word)
    return text


def _trim(operator: str, text: str, word: str) -> str:
    """Removal and replacement by a pattern of `*` and `?`. Standard: POSIX parameter expansion."""
    if operator[0] == "/":
        old, _, new = word.partition("/")
        return re.sub(_glob(old, greedy=True), lambda _: new, text, count=0 if operator == "//" else 1) if old else text
    pattern = _glob(word, greedy=len(operator) == 2)
    if operator[0] == "#":
        match = re.match(pattern, text)
        return text[match.end() :] if match else text
    starts = range(len(text) + 1) if len(operator) == 2 else range(len(text), -1, -1)
    start = next((at for at in starts if re.fullmatch(pattern, text[at:])), len(text))
    return text[:start]


def _glob(pattern: str, *, greedy: bool) -> str:
    many = ".*" if greedy else ".*?"
    return "".join(many if char == "*" else "." if char == "?" else re.escape(char) for char in pattern)
