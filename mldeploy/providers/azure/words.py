"""Azure's words as plain text: the SDK's enumerations know only those that it was made with."""

from __future__ import annotations

from enum import Enum


def word(value: str | Enum | None) -> str:
    """`Succeeded`, whichever way the SDK hands it over; empty for None."""
    return str(value.value) if isinstance(value, Enum) else value or ""
