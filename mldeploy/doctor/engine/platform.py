"""Whether the engine can build for the processor that `build.platform` names."""

from __future__ import annotations

import re

from mldeploy.doctor.command import output
from mldeploy.doctor.engine.facts import Facts, Kind
from mldeploy.image.emulation import is_native, is_registered, processor, remedy
from mldeploy.providers.checks import Finding, error, ok, warning

SUBJECT = "platform"


def platform(facts: Facts, wanted: str) -> Finding:
    """Look whether the engine's machine runs programs for `wanted` ("linux/arm64"), emulated if need be."""
    if is_native(facts.platform, wanted):
        return ok(SUBJECT, f"{wanted}, the engine's own processor")
    emulated = f"{wanted} is not the engine's own processor ({facts.platform})"
    if facts.kind in (Kind.DESKTOP, Kind.ORBSTACK):
        return ok(SUBJECT, f"{emulated}; {facts.kind} emulates it, several times slower")
    answer = _emulates(facts, wanted)
    if answer:
        return ok(SUBJECT, f"{emulated}; it is emulated, several times slower")
    todo = f"Build for {facts.platform} (`platform` in [build]), or {remedy(wanted)}."
    if answer is None:
        return warning(SUBJECT, f"{emulated}, and whether it is emulated cannot be seen from here", todo)
    return error(SUBJECT, f"{emulated}, and it is not emulated", todo)


def _emulates(facts: Facts, wanted: str) -> bool | None:
    """None if it cannot be told. The kernel of the engine's machine knows; BuildKit asks it."""
    if facts.is_here:
        return is_registered(wanted)
    said = re.search(r"^Platforms:\s*(.*)$", output("docker", "buildx", "inspect"), re.MULTILINE)
    if said is None:
        return None
    return any(processor(each.strip(" *")) == processor(wanted) for each in said[1].split(","))
