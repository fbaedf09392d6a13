"""A value that must never be seen in a log, a journal, an exception's text or an image."""

from __future__ import annotations


class Secret:
    """Wraps a string. Only `reveal` gives it back; printing, formatting and repr give `[REDACTED]`."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "[REDACTED]"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)
