"""A command in a pod's container. https://kubernetes.io/docs/tasks/debug/debug-application/get-shell-running-container/"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from contextlib import suppress

from mldeploy.providers.errors import AbsentError
from mldeploy.providers.executing import Streams
from mldeploy.providers.kubernetes.api import Kube
from mldeploy.providers.kubernetes.manifests.deployment import CONTAINER
from mldeploy.providers.kubernetes.reading import rows, text
from mldeploy.providers.kubernetes.sdk import WSClient

STDIN, STDOUT, STDERR, ENDED = 0, 1, 2, 3
"""The channels of the remote command protocol, v4 and v5."""
LOOK_SECONDS = 0.5
CHUNK = 32768


def execute(kube: Kube, pod: str, namespace: str, command: Sequence[str], streams: Streams) -> int:
    """Run it, pass its streams on, and return its exit status. Raises AbsentError if it cannot be started there."""
    with_input = streams.stdin is not None
    channels = kube.execute(pod, namespace, CONTAINER, command, stdin=with_input)
    if with_input:
        threading.Thread(target=_feed, args=(channels, streams), daemon=True).start()
    try:
        while channels.is_open():
            channels.update(timeout=LOOK_SECONDS)
            _pass_on(channels, streams)
        _pass_on(channels, streams)
        return _status(pod, bytes(channels.read_channel(ENDED)).decode(errors="replace"))
    finally:
        channels.close()
        channels.sock.shutdown()  # the library leaves the socket open where the other side has said farewell first


def _pass_on(channels: WSClient, streams: Streams) -> None:
    for channel, stream in ((STDOUT, streams.stdout), (STDERR, streams.stderr)):
        if data := channels.read_channel(channel):
            stream(bytes(data))


def _feed(channels: WSClient, streams: Streams) -> None:
    with suppress(OSError, ValueError):
        while streams.stdin is not None and (data := streams.stdin(CHUNK)):
            channels.write_channel(STDIN, data)
        channels.close_channel(STDIN)


def _status(pod: str, said: str) -> int:
    """The last message is a Status of the API: a success, an exit code among its causes, or why nothing ran."""
    try:
        found = json.loads(said)
    except ValueError:
        found = {}
    if text(found, "status") == "Success":
        return 0
    for cause in rows(found, "details", "causes"):
        if text(cause, "reason") == "ExitCode":
            return int(text(cause, "message"))
    raise AbsentError(f"pod {pod}", text(found, "message") or "the connection to it ended", "See `mldeploy ps`.")
