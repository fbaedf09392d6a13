"""A value that must never be seen in a log, a journal, an exception's text or an image."""

from __future__ import annotations

from mldeploy.core.redaction import MARK, remember


class Secret:
    """Wraps a string. Only `reveal` gives it back; printing, formatting and repr give `[REDACTED]`.

    From then on no message, log record or traceback shows the value, wherever it comes from. is_public: it stands among
    secrets and is none: a port, an address, the app's own name.
    """

    __slots__ = ("_value", "is_public")

    def __init__(self, value: str, *, is_public: bool = False) -> None:
        self._value = value
        self.is_public = is_public
        if not is_public:
            remember(value)

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return MARK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)
