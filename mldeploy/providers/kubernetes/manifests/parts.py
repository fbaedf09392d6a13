"""What several manifests have in common."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.reading import Document

_UNITS = (
    *(("Ti", 2**40), ("Gi", 2**30), ("Mi", 2**20), ("Ki", 2**10)),
    *(("T", 10**12), ("G", 10**9), ("M", 10**6), ("k", 10**3)),
)
_NOTHING: Mapping[str, str] = MappingProxyType({})


def metadata(
    owner: Owner,
    name: str,
    namespace: str = "",
    *,
    labels: Mapping[str, str] = _NOTHING,
    annotations: Mapping[str, str] = _NOTHING,
) -> Document:
    """Name and labels; everything that we send bears its owner's."""
    place = {"namespace": namespace} if namespace else {}
    notes = {"annotations": dict(annotations)} if annotations else {}
    return {"name": name, **place, "labels": {**owner.labels, **labels}, **notes}


def cpus(count: float) -> str:
    """A quantity as the API server writes it: `500m`, `2`."""
    thousandths = max(1, round(count * 1000))
    return f"{thousandths}m" if thousandths % 1000 else str(thousandths // 1000)


def size(count: int) -> str:
    """Bytes as the API server writes them: `512Mi`."""
    return next((f"{count // unit}{name}" for name, unit in _UNITS if count % unit == 0), str(count))
