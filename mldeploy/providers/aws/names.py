"""Names of resources within the length that AWS allows."""

from __future__ import annotations

import hashlib


def shortened(name: str, limit: int) -> str:
    """The name. One over `limit` characters is cut and ends with a hash."""
    if len(name) <= limit:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: limit - 9].rstrip('-')}-{digest}"
