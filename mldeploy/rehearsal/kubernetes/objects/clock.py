"""Times as Kubernetes writes them. Standard: RFC 3339."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def now(after: float = 0.0) -> str:
    """The time, or that of so many seconds later, to the second."""
    return f"{datetime.now(UTC) + timedelta(seconds=after):%Y-%m-%dT%H:%M:%SZ}"


def precise() -> str:
    """To the microsecond, as a log has it."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def since(written: str) -> float:
    """Seconds that have passed since a time."""
    return (datetime.now(UTC) - moment(written)).total_seconds()


def moment(written: str) -> datetime:
    """Raises ValueError."""
    return datetime.fromisoformat(written)
