"""The engine's classic builder, through the SDK: part of every engine, and never more than its API away."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import IO, cast

from docker import APIClient
from docker.auth import AuthConfig
from docker.errors import APIError

from mldeploy.core.monitor import Monitor
from mldeploy.image.engine import Engine
from mldeploy.image.errors import BuildError, engine_errors, explanation
from mldeploy.image.handover import hand_over
from mldeploy.image.order import Order
from mldeploy.image.preparation import HANDED_OVER
from mldeploy.image.stream import Event, Start, follow
from mldeploy.image.told import Instruction, Told, plain

_STEP = re.compile(r"Step (\d+)/(\d+) : (.*)", re.DOTALL)
_STUMBLE = re.compile(r'unable to find image "?sha256:|failed to get digest sha256:')
_RUNNING = re.compile(r" ?---> Running in ([0-9a-f]+)")
_CHATTER = re.compile(r" ?---> |Removing intermediate container |\[Warning\] One or more build-args")


class StumbledError(BuildError):
    """The builder tripped over an image that was being removed, whoever's it was.

    It compares each step with every image on the same parent, and fails if one of them is gone by then (moby,
    image/cache/cache.go). What it has done so far is in its cache: asked again, it goes on from there.
    """


def build(engine: Engine, order: Order, monitor: Monitor) -> str:
    """Build, and return the id of the image, which has no name yet. No intermediate container is left behind.

    Raises BuildError, StumbledError among them; EngineError; ProjectError if a file changes meanwhile; CancelledError
    after a stop, upon which the engine ends the build.
    """
    heard = _Heard(engine, Told(order, monitor))
    with engine_errors(order.reference):
        client = engine.another_client()
        # Every base is on the engine already: no credentials are sent, and no broken credential helper can fail us.
        # The SDK has no public way to say so; an empty configuration would make it read the user's again.
        client._auth_configs = AuthConfig({"auths": {"none": {}}})  # type: ignore[attr-defined]  # noqa: SLF001
        try:
            for event in follow(client, _start(order, heard.told), monitor):
                heard.hear(event)
        except APIError as error:
            raise heard.failure(explanation(error)) from error
    return heard.image


def _start(order: Order, told: Told) -> Start:
    def start(client: APIClient) -> Iterable[dict[str, object]]:
        lines: Iterable[dict[str, object]] = client.build(
            fileobj=cast("IO[bytes]", order.context.tar(told.sent())),  # any iterable will do: it is streamed
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


class _Heard:
    """What the engine's stream has said so far. image: the id of what was built last."""

    def __init__(self, engine: Engine, told: Told) -> None:
        self.told = told
        self._engine = engine
        self.image = ""
        self._instruction = Instruction()

    def hear(self, event: Event) -> None:
        """Raises BuildError at the line that says that the build has failed."""
        if event.error:
            raise self.failure(event.error)
        self.image = event.image or self.image
        text = plain(event.text)
        if step := _STEP.match(text):
            self._instruction = Instruction(text)
            self.told.begin(step[3], int(step[1]), int(step[2]))
        elif container := _RUNNING.match(text):
            self._hand_over(container[1])
        elif not _CHATTER.match(text):
            self._instruction.say(text)

    def _hand_over(self, container: str) -> None:
        """The instructions that need the secret wait for it."""
        secret = self.told.order.secret
        if secret is not None and HANDED_OVER in self._instruction.name:
            hand_over(self._engine, container, secret, HANDED_OVER, self.told.monitor)

    def failure(self, said: str) -> Exception:
        if _STUMBLE.search(said):
            return StumbledError(self._instruction.name, plain(said), "Try again.")
        return self.told.failure(self._instruction, said)
