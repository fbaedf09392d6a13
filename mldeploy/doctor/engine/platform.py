"""Whether the engine can build for the processor that `build.platform` names."""

from __future__ import annotations

import re
from pathlib import Path

from mldeploy.doctor.command import output
from mldeploy.doctor.engine.facts import Facts, Kind
from mldeploy.providers.checks import Finding, error, ok, warning

SUBJECT = "platform"
BINFMT = Path("/proc/sys/fs/binfmt_misc")

_QEMU = {"amd64": "x86_64", "arm64": "aarch64", "386": "i386"}
"""Where QEMU's name of a processor is not Go's, which OCI uses."""


def platform(facts: Facts, wanted: str) -> Finding:
    """Look whether the engine's machine runs programs for `wanted` ("linux/arm64"), emulated if need be."""
    if _processor(wanted) == _processor(facts.platform):
        return ok(SUBJECT, f"{wanted}, the engine's own processor")
    emulated = f"{wanted} is not the engine's own processor ({facts.platform})"
    if facts.kind in (Kind.DESKTOP, Kind.ORBSTACK):
        return ok(SUBJECT, f"{emulated}; {facts.kind} emulates it, several times slower")
    answer = _emulates(facts, wanted)
    if answer:
        return ok(SUBJECT, f"{emulated}; it is emulated, several times slower")
    todo = (
        f"Build for {facts.platform} (`platform` in [build]), or let the engine emulate: "
        f"`docker run --privileged --rm tonistiigi/binfmt --install {_processor(wanted)}`."
    )
    if answer is None:
        return warning(SUBJECT, f"{emulated}, and whether it is emulated cannot be seen from here", todo)
    return error(SUBJECT, f"{emulated}, and it is not emulated", todo)


def _processor(platform: str) -> str:
    return platform.split("/")[1] if "/" in platform else platform


def _emulates(facts: Facts, wanted: str) -> bool | None:
    """None if it cannot be told. The kernel of the engine's machine knows; BuildKit asks it."""
    if facts.is_here:
        return _registered(_processor(wanted))
    said = re.search(r"^Platforms:\s*(.*)$", output("docker", "buildx", "inspect"), re.MULTILINE)
    if said is None:
        return None
    return any(_processor(each.strip(" *")) == _processor(wanted) for each in said[1].split(","))


def _registered(processor: str) -> bool:
    """An interpreter is enabled, and opened in advance (F): a container does not see the file that it is.

    https://docs.kernel.org/admin-guide/binfmt-misc.html
    """
    try:
        entry = (BINFMT / f"qemu-{_QEMU.get(processor, processor)}").read_text()
    except OSError:
        return False
    return entry.startswith("enabled") and re.search(r"^flags:.*F", entry, re.MULTILINE) is not None
