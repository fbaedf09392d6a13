"""The worker class with which gunicorn serves a WSGI app in our image: never imported by mldeploy.

It is gunicorn's threaded worker, which leaves a new connection to whichever worker has the least to do. By itself each
takes what it can get: of clients that come together and keep their connections, the worker that wakes first has nearly
all from then on, and the other cores have nothing to do.
"""

from __future__ import annotations

import mmap
import time
from typing import Any

from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]  # it is the container's, not ours

PLACES = 256
"""Workers that can tell one another what they have to do; those beyond are as gunicorn makes them."""
FIRST = 2**32
"""What outweighs any number of clients."""
NOBODY = 2**63 - 1
"""What is told at a place that no worker has, or one that takes nothing new."""
PAUSE = 0.02
"""Seconds that the others get to take a connection: before they can, they may have to wait for their own threads."""
LOOK = 0.002
"""Seconds after which one that waits looks whether it still has more to do than another."""

# The class is loaded before the workers are forked, and so they share these numbers.
told = memoryview(mmap.mmap(-1, 8 * PLACES)).cast("q")
for place in range(PLACES):
    told[place] = NOBODY


class FairWorker(ThreadWorker):  # type: ignore[misc]  # as gunicorn has no types
    """One that takes a connection at once only if no other worker has less to do, and after PAUSE in any case."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Called in the process that forks, so that no two workers take one place."""
        super().__init__(*arguments, **named)
        self.place = next((each for each in range(PLACES) if told[each] == NOBODY), None)
        self.resumes = 0.0
        self.has_waited = False
        self.tell()

    def accept(self, listener: Any) -> None:
        """Called for each connection that waits."""
        if self.has_waited or not self.is_ahead():
            self.has_waited = False
            super().accept(listener)
        else:
            self.has_waited = True
            self.resumes = time.monotonic() + PAUSE
            self.set_accept_enabled(False)

    def set_accept_enabled(self, enabled: bool) -> None:
        """Called before each look at what there is to do."""
        waits = time.monotonic() < self.resumes and self.is_ahead()
        super().set_accept_enabled(enabled and not waits)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """One look; a short one as long as connections are left to others."""
        self.tell()
        super().wait_for_and_dispatch_events(min(timeout, LOOK) if time.monotonic() < self.resumes else timeout)

    def is_ahead(self) -> bool:
        """Whether another has clearly less to do: of many requests a few more are nothing that is worth a pause."""
        least = min(told)
        return self.place is not None and self.tell() > least + least // FIRST // 4 * FIRST

    def tell(self) -> int:
        """Tell the others: first how many requests it has to answer, and if these are as many, how many clients."""
        silent = len(self.keepalived_conns) + len(getattr(self, "pending_conns", ()))  # before 26 these were none
        load: int = (self.nr_conns - silent) * FIRST + self.nr_conns if self.alive else NOBODY
        if self.place is not None:
            told[self.place] = load
        return load

    def leave(self) -> None:
        """Called in the process that forks, once this worker has ended, however it did."""
        if self.place is not None:
            told[self.place] = NOBODY


# What an older gunicorn's worker is made of is different; it serves as it always did.
Worker = FairWorker if hasattr(ThreadWorker, "set_accept_enabled") else ThreadWorker
