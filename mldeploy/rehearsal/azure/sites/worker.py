"""One container of a site, from its start to its end."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from contextlib import suppress

import requests

from mldeploy.rehearsal.azure.sites.log import Log
from mldeploy.rehearsal.azure.sites.wanted import Wanted
from mldeploy.rehearsal.containers.host import Container, Exit
from mldeploy.rehearsal.containers.listening import Listener

_PING = "/robots933456.txt"
"""What App Service asks a container for in order to see whether anybody answers; any answer will do."""
_PATIENCE = 5.0


class Worker:
    """A container that runs, or ran. log: where its lines go."""

    def __init__(self, name: str, container: Container, wanted: Wanted, log: Log) -> None:
        self.name = name
        self.log = log
        self.is_dismissed = False
        self._container = container
        self._port = wanted.port
        self._ended = threading.Event()
        self._exit: Exit | None = None
        self._listener = Listener(container, self._hear) if wanted.keeps_output else None
        threading.Thread(target=self._live, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it answers, without a path."""
        return f"http://{self._container.address}:{self._port}"

    @property
    def exit(self) -> Exit | None:
        """How it ended; None as long as it runs."""
        return self._exit

    def when_ended(self, told: Callable[[], None]) -> None:
        """Call this once it has ended."""

        def wait() -> None:
            self._ended.wait()
            told()

        threading.Thread(target=wait, daemon=True).start()

    def answers(self) -> bool:
        """Anything at all to a ping."""
        return self._status(_PING) > 0

    def is_healthy(self, path: str) -> bool:
        """Its health check says so; without one it is enough that it runs. Standard: App Service, "Health check"."""
        return self._exit is None and (not path or 200 <= self._status(path) < 300)

    def _status(self, path: str) -> int:
        with suppress(requests.RequestException), requests.Session() as session:
            session.trust_env = False
            return session.get(self.url + path, timeout=_PATIENCE, allow_redirects=False).status_code
        return 0

    def remove(self, seconds: int = 0) -> None:
        """Leave nothing of it. seconds: that it has to end by itself."""
        self.is_dismissed = True
        if seconds:
            self._container.stop(seconds)
        self._container.remove()

    def _live(self) -> None:
        """What it said last is in the log before anybody hears of its end, and removes it."""
        exit_ = self._container.wait()
        if self._listener is not None:
            self._listener.wait()
        self._exit = exit_
        self._ended.set()

    def _hear(self, line: bytes) -> None:
        self.log.write(line.decode(errors="replace"))


def name_for(site: str, number: int) -> str:
    """What Azure would call a container."""
    return f"{site}_{number}_{uuid.uuid4().hex[:8]}"
