"""The server of our images as a process, which asks for access keys."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mldeploy.config.access_keys import AccessKey
from tests.image.server_process import APP, ServerProcess, server_process


@contextmanager
def keyed_server(
    folder: Path,
    interface: str,
    *keys: AccessKey,
    digests: str = "",
    rate: str = "",
    workers: int = 1,
    app: str = APP,
    own: str = "",
) -> Iterator[ServerProcess]:
    """A server that accepts these keys, or the keys of these digests."""
    accepted = " ".join(each.digest for each in keys) or digests
    entry = f"mldeploy_access:{interface}('served:{interface}')"
    worker = "mldeploy_access_worker.WsgiWorker" if interface == "wsgi" and "worker_class" not in own else ""
    with server_process(
        folder,
        interface,
        workers,
        own=own,
        entry=entry,
        app=app,
        worker=worker,
        MLDEPLOY_ACCESS_DIGESTS=accepted,
        MLDEPLOY_ACCESS_RATE=rate,
    ) as running:
        yield running
