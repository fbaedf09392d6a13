"""A door on this machine to one pod of a cluster, through the API server: what has no address can be asked."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from mldeploy.providers.kubernetes.api import Kube
from mldeploy.providers.kubernetes.sdk import ApiException

HERE = "127.0.0.1"
CHUNK = 65536
LOOK_SECONDS = 0.2
_BROKEN = (OSError, ValueError, ApiException)
"""What either end raises once it is closed; the client sees that its connection ends."""


@contextmanager
def forwarded(kube: Kube, pod: str, namespace: str, port: int) -> Iterator[str]:
    """The base URL at which the pod's port answers on this machine while the context is open.

    Each connection is one of its own through the API server. A pod that does not listen closes it without an answer.
    """
    with socket.create_server((HERE, 0)) as door:
        door.settimeout(LOOK_SECONDS)
        ended = threading.Event()
        keeper = threading.Thread(target=_keep, args=(door, ended, kube, pod, namespace, port), daemon=True)
        keeper.start()
        try:
            yield f"http://{HERE}:{door.getsockname()[1]}"
        finally:
            ended.set()
            keeper.join()


def _keep(door: socket.socket, ended: threading.Event, kube: Kube, pod: str, namespace: str, port: int) -> None:
    while not ended.is_set():
        try:
            client, _ = door.accept()
        except TimeoutError:
            continue
        except OSError:
            return
        client.settimeout(None)
        threading.Thread(target=_serve, args=(client, ended, kube, pod, namespace, port), daemon=True).start()


def _serve(client: socket.socket, ended: threading.Event, kube: Kube, pod: str, namespace: str, port: int) -> None:
    with client, suppress(*_BROKEN):
        forward = kube.forward(pod, namespace, port)
        try:
            _pump(client, forward.socket(port), ended)
        finally:
            forward.close()


def _pump(one: socket.socket, other: socket.socket, ended: threading.Event) -> None:
    """Pass on what comes from either side, until one of them has said all."""
    ways = {one: other, other: one}
    while not ended.is_set():
        ready, _, _ = select.select([one, other], [], [], LOOK_SECONDS)
        for source in ready:
            data = source.recv(CHUNK)
            if not data:
                return
            ways[source].sendall(data)
