"""What a pod may ask for under Autopilot, which changes what does not fit: every deployment would find a difference.

https://cloud.google.com/kubernetes-engine/docs/concepts/autopilot-resource-requests
"""

from __future__ import annotations

import math

from mldeploy.config.settings import App

GIB = 2**30
STEP = 0.25
"""CPUs, in the oldest clusters; the others take smaller steps, too."""
SMALL_STEP = 0.05
MOST_MEMORY = 6.5
"""GiB for each CPU. The least is one."""


def cpu_request(app: App, wanted: float) -> float:
    """The CPUs to ask for: as many as are wanted, or as the memory takes along."""
    gib = app.memory / GIB
    fitting = math.ceil(round(max(wanted, gib / MOST_MEMORY) / STEP, 6)) * STEP
    if fitting <= gib:
        return fitting
    return max(SMALL_STEP, math.floor(round(gib / SMALL_STEP, 6)) * SMALL_STEP)
