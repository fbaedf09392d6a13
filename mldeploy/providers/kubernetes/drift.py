"""What an object lacks to be what a manifest says, a readable line each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from mldeploy.providers.kubernetes.reading import Document

LIMIT = 6
"""So many lines are enough to see what it is about."""
SILENT = ("data", "stringData")
"""Fields whose content is nobody's business."""
KEYS = ("name", "type", "containerPort", "mountPath", "port", "host")
"""What tells the items of a list from one another."""


def differences(wanted: Document, found: Document) -> tuple[str, ...]:
    """Every field of the manifest that the object has otherwise; what only the object has is somebody else's."""
    parts = {key: value for key, value in wanted.items() if key not in ("apiVersion", "kind")}
    lines = list(dict.fromkeys(_compared(parts, found, "")))
    rest = len(lines) - LIMIT
    return (*lines[:LIMIT], f"and {rest} more") if rest > 0 else tuple(lines)


def _compared(wanted: object, found: object, path: str) -> Iterator[str]:
    if isinstance(wanted, Mapping):
        there = found if isinstance(found, Mapping) else {}
        for key, value in wanted.items():
            yield from _field(key, value, there.get(key), f"{path}.{key}".lstrip("."))
    elif isinstance(wanted, list):
        yield from _items(wanted, found if isinstance(found, list) else [], path)
    elif wanted != found:
        yield f"{path} {_shown(found)} → {_shown(wanted)}"


def _field(key: str, wanted: object, found: object, path: str) -> Iterator[str]:
    if key not in SILENT:
        yield from _compared(wanted, found, path)
    elif wanted != found:
        yield f"{path} → that of this configuration"


def _items(wanted: Sequence[object], found: Sequence[object], path: str) -> Iterator[str]:
    if len(wanted) != len(found):
        yield f"{path}: {len(found)} → {len(wanted)}"
        return
    for one, other in zip(wanted, found, strict=True):
        yield from _compared(one, other, f"{path}[{_label(one)}]")


def _label(item: object) -> str:
    if not isinstance(item, Mapping):
        return ""
    return next((str(item[key]) for key in KEYS if isinstance(item.get(key), str | int)), "")


def _shown(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else "other content"
