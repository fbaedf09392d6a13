"""Facts about Compute Engine's machine types that follow from their names.

https://cloud.google.com/compute/docs/machine-resource
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_SHARED_CORE: Mapping[str, int] = {"e2-micro": 2, "e2-small": 2, "e2-medium": 2}
"""vCPUs of machine types whose name does not end with the number."""
_ARM_SERIES = frozenset(("a4x", "c4a", "n4a", "t2a"))
"""https://cloud.google.com/compute/docs/instances/arm-on-compute"""
_FIRST_HYPERDISK_GENERATION = 4
"""Machines of this generation and later cannot boot from a Persistent Disk.

https://cloud.google.com/compute/docs/disks/hyperdisks#machine-type-support
"""
AMD64, ARM64 = "amd64", "arm64"
BALANCED, HYPERDISK = "pd-balanced", "hyperdisk-balanced"


def vcpus(machine_type: str) -> int:
    """The vCPUs, as counted against the quota CPUS."""
    last = machine_type.rpartition("-")[2]
    return _SHARED_CORE.get(machine_type) or (int(last) if last.isdigit() else 1)


def architecture(machine_type: str) -> str:
    """The CPU architecture, as in a platform: `arm64`."""
    return ARM64 if _series(machine_type) in _ARM_SERIES else AMD64


def boot_disk_type(machine_type: str) -> str:
    """The type of boot disk that every size of the series supports."""
    generation = re.search(r"\d+", _series(machine_type))
    is_new = generation is not None and int(generation[0]) >= _FIRST_HYPERDISK_GENERATION
    return HYPERDISK if is_new else BALANCED


def _series(machine_type: str) -> str:
    return machine_type.partition("-")[0]
