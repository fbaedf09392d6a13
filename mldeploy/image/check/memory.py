"""What memory an app needs, told from what one copy of it took for one request."""

from __future__ import annotations

import math

from mldeploy.config.settings import App
from mldeploy.config.text import size
from mldeploy.core.findings import Finding, ok, warning

MARGIN = 1.5
"""On top of what was measured: the requests that are answered at the same time, what allocators do not give back, and
the pages of a preloaded model that the workers cease to share once their interpreters count references in them."""
STEP = 64 << 20
LEAST = 128 << 20
AMPLE = 2.0
"""From this many times the proposal on, a limit is said to be more than needed."""


def proposal(at_rest: int, after_golden: int, workers: int) -> int:
    """Bytes for `[app] memory`. The request was answered by one worker: the others will grow as much."""
    grown = max(0, after_golden - at_rest) * workers
    return max(LEAST, math.ceil((at_rest + grown) * MARGIN / STEP) * STEP)


def workers_of(app: App) -> int:
    """How many there are where our own recipe serves the app; elsewhere it is the best guess that there is."""
    return app.workers or math.ceil(app.cpus)


def judged(at_rest: int, after_golden: int | None, app: App) -> Finding:
    """The line about memory. after_golden: None without a golden row."""
    limit = size(app.memory)
    if after_golden is None:
        return ok("memory", f"{size(at_rest)} at rest, of {limit}; nothing was asked of it")
    measured = f"{size(at_rest)} at rest, {size(after_golden)} after the golden row, of {limit}"
    proposed = proposal(at_rest, after_golden, workers_of(app))
    setting = f'`memory = "{proposed >> 20}m"` in [app]'
    if proposed > app.memory:
        return warning("memory", f"{measured}: under load it may be killed", f"Set {setting}.")
    if app.memory >= AMPLE * proposed:
        return ok("memory", f"{measured}; {setting} would do")
    return ok("memory", measured)
