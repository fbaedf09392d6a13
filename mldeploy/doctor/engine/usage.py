"""How much of a disk that cannot be seen from here the engine has filled."""

from __future__ import annotations

from mldeploy.doctor.engine.facts import Facts, Kind
from mldeploy.image.engine import Engine
from mldeploy.image.errors import engine_errors
from mldeploy.project.detect.bulk import megabytes
from mldeploy.providers.checks import Finding, ok

_SETTING = {
    Kind.DESKTOP: "Settings, Resources",
    Kind.ORBSTACK: "it grows with your own disk",
    Kind.COLIMA: "`colima start --disk`",
    Kind.RANCHER: "its preferences",
}


def usage(engine: Engine, facts: Facts) -> Finding:
    """What images, containers and build cache take (the engine's own count). Takes seconds where there are many."""
    with engine_errors(facts.endpoint):
        told = engine.client.df()
    images = int(told.get("LayersSize") or 0)
    cache = sum(int(each.get("Size") or 0) for each in told.get("BuildCache") or () if not each.get("Shared"))
    limit = f"; its limit: {_SETTING[facts.kind]}" if facts.kind in _SETTING else ""
    taken = f"images take {megabytes(images)}, the build cache {megabytes(cache)}"
    return ok("disk", f"{taken}; how much is free cannot be seen from here{limit}")
