"""A build that waits inside an instruction: `python -m tests.adversarial.building IMAGE PLATFORM`.

The password is on standard input. It prints a line once it waits.
"""

from __future__ import annotations

import sys

from mldeploy.config.secret import Secret
from mldeploy.core.events import Event, Progressed
from mldeploy.core.monitor import Cancel, Monitor
from mldeploy.core.step import Key, Resource
from mldeploy.image.builders import buildkit
from mldeploy.image.builders.build_request import BuildRequest
from mldeploy.image.builders.choice import find_client
from mldeploy.image.context import Context


def report(event: Event) -> None:
    if isinstance(event, Progressed) and event.progress.text.startswith("RUN"):
        sys.stdout.write("running\n")
        sys.stdout.flush()


def main(image: str, platform: str, password: str) -> None:
    recipe = f"FROM {image}\nRUN --mount=type=secret,id=mldeploy,target=/secret test -s /secret && sleep 600\n"
    chosen = find_client()
    assert chosen is not None
    order = BuildRequest("unused:1", Context.of("x", ()), platform, {}, recipe.encode(), Secret(password))
    buildkit.build(chosen, order, Monitor(Resource("image", Key("unused")), report, Cancel()))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.stdin.readline().strip())
