"""How the workers of a container share out new connections: never imported by mldeploy.

All workers wait at one socket, and whichever wakes takes what is there. Of clients that come together and keep their
connections, one worker would have nearly all from then on, and the other cores nothing to do. So each worker publishes
its load in shared memory, and one that has clearly more to do than another leaves it the next connection for a moment.
"""

from __future__ import annotations

import mmap
import time

SLOTS = 256
"""Workers that can publish their load; those beyond take connections at once."""
FIRST = 2**32
"""What outweighs any number of clients."""
ABSENT = 2**63 - 1
"""The load in a slot that no worker has, or one that takes nothing new."""
PAUSE = 0.02
"""Seconds that the others get to take a connection: before they can, they may have to wait for their own threads."""
LOOK = 0.002
"""Seconds after which a worker that waits looks whether it still has more to do than another."""

# The module is loaded before the workers are forked, and so they share these numbers.
_loads = memoryview(mmap.mmap(-1, 8 * SLOTS)).cast("q")
for _slot in range(SLOTS):
    _loads[_slot] = ABSENT


class Share:
    """One worker's part of the clients. It must be made in the process that forks, so that no two get one slot."""

    def __init__(self) -> None:
        self._slot = next((each for each in range(SLOTS) if _loads[each] == ABSENT), None)
        self._resumes = 0.0
        self._has_waited = False
        self.publish(0, 0)

    def publish(self, requests: int, clients: int) -> None:
        """Let the others know: requests that are being answered, and clients if these are as many."""
        if self._slot is not None:
            _loads[self._slot] = requests * FIRST + clients

    def leave(self) -> None:
        """Take no part any more; also called in the process that forks, once the worker has ended, however it did."""
        if self._slot is not None:
            _loads[self._slot] = ABSENT

    def takes(self) -> bool:
        """Whether to accept a connection that waits: at once if no other has less to do, and after PAUSE anyway."""
        if self._has_waited or not self._is_ahead():
            self._has_waited = False
            return True
        self._has_waited = True
        self._resumes = time.monotonic() + PAUSE
        return False

    @property
    def waits(self) -> bool:
        """Whether connections are left to the others now."""
        return time.monotonic() < self._resumes and self._is_ahead()

    def _is_ahead(self) -> bool:
        """Of many requests a few more are nothing that is worth a pause."""
        least = min(_loads)
        return self._slot is not None and _loads[self._slot] > least + least // FIRST // 4 * FIRST
