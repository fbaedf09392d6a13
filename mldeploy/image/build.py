"""One build on the engine: send the context, hear the stream to its end, and check what came out."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from textwrap import shorten
from typing import IO, cast

from docker import APIClient
from docker.auth import AuthConfig
from docker.errors import APIError
from docker.utils import parse_repository_tag

from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.image.context import Context
from mldeploy.image.engine import Engine
from mldeploy.image.errors import BuildError, disk_full, engine_errors, explanation, is_disk_full
from mldeploy.image.found import Found, find, fits
from mldeploy.image.remedies import remedy
from mldeploy.image.stream import Event, Start, follow

LAST_LINES = 15
ATTEMPTS = 5
_STEP = re.compile(r"Step (\d+)/(\d+) : (.*)", re.DOTALL)
_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[@-_]")
_EXPORTS = re.compile(r"(?<=^RUN )export [^&]* && ")
_STUMBLE = re.compile(r'unable to find image "?sha256:|failed to get digest sha256:')
_CHATTER = re.compile(r" ?---> |Removing intermediate container |\[Warning\] One or more build-args")


@dataclass(frozen=True)
class Order:
    """What is to be built. reference: `name:tag`. args may be read in the image's history."""

    reference: str
    context: Context
    platform: str
    args: Mapping[str, str]


def build(engine: Engine, order: Order, monitor: Monitor) -> Found:
    """Build, check the platform, and only then give the image its name. No intermediate container is left behind.

    Raises BuildError, EngineError, ProjectError if a file changes meanwhile, CancelledError after a stop.
    """
    for _ in range(ATTEMPTS - 1):
        with suppress(_StumbledError):
            return _attempt(engine, order, monitor)
    return _attempt(engine, order, monitor)


class _StumbledError(BuildError):
    """The builder tripped over an image that was being removed, whoever's it was.

    It compares each step with every image on the same parent, and fails if one of them is gone by then (moby,
    image/cache/cache.go). What it has done so far is in its cache: asked again, it goes on from there.
    """


def _attempt(engine: Engine, order: Order, monitor: Monitor) -> Found:
    told = _Told(monitor)
    with engine_errors(order.reference):
        client = engine.another_client()
        # Every base is on the engine already: no credentials are sent, and no broken credential helper can fail us.
        # The SDK has no public way to say so; an empty configuration would make it read the user's again.
        client._auth_configs = AuthConfig({"auths": {"none": {}}})  # type: ignore[attr-defined]  # noqa: SLF001
        try:
            for event in follow(client, _start(order, monitor), monitor):
                told.hear(event)
        except APIError as error:
            raise told.failure(explanation(error)) from error
    return _checked(engine, order, told.image)


def _start(order: Order, monitor: Monitor) -> Start:
    total = order.context.size
    sent = 0

    def tell(size: int) -> None:
        nonlocal sent
        monitor.check()
        sent += size
        monitor.progress(Progress("", "Sending the files", min(sent, total), total, in_bytes=True))

    def start(client: APIClient) -> Iterable[dict[str, object]]:
        lines: Iterable[dict[str, object]] = client.build(
            fileobj=cast("IO[bytes]", order.context.tar(tell)),  # any iterable will do: it is streamed
            custom_context=True,
            dockerfile=order.context.dockerfile,
            platform=order.platform,
            buildargs=dict(order.args),
            rm=True,
            forcerm=True,
            decode=True,
        )
        return lines

    return start


def _checked(engine: Engine, order: Order, image: str) -> Found:
    found = find(engine, image)
    if found is None:
        raise BuildError(order.reference, "the engine built no image, and gave no reason", "Try again.")
    with engine_errors(order.reference):
        if not fits(found.platform, order.platform):
            engine.client.remove_image(image, force=True)
            todo = "Choose a base image for that platform (build.base_image), or another platform (build.platform)."
            raise BuildError(order.reference, f"was built for {found.platform}, not for {order.platform}", todo)
        repository, tag = parse_repository_tag(order.reference)
        engine.client.tag(image, repository, tag, force=True)
    return found


@dataclass
class _Told:
    """What the stream has told so far."""

    monitor: Monitor
    image: str = ""
    step: str = ""
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_LINES))

    def hear(self, event: Event) -> None:
        """Raises BuildError at the line that says that the build has failed."""
        if event.error:
            raise self.failure(event.error)
        self.image = event.image or self.image
        text = _ANSI.sub("", event.text)
        if step := _STEP.match(text):
            self.step = shorten(text, 160, placeholder=" …")
            self.lines.clear()
            shown = shorten(_EXPORTS.sub("", step[3]), 60, placeholder=" …")
            self.monitor.progress(Progress("", shown, int(step[1]), int(step[2])))
        elif not _CHATTER.match(text):
            self.lines.extend(line.rstrip() for line in text.splitlines() if line.strip())

    def failure(self, said: str) -> Exception:
        where = self.step or "docker build"
        everything = "\n".join((*self.lines, said))
        if is_disk_full(everything):
            return disk_full(where)
        exit_code = re.search(r"returned a non-zero code: (\d+)", said)
        why = f"ended with code {exit_code[1]}" if exit_code else _ANSI.sub("", said).strip()
        kind = _StumbledError if _STUMBLE.search(said) else BuildError
        return kind(where, "\n".join((why, *self.lines)), remedy(everything))
