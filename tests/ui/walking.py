"""Shows a short walk on this process's own streams, for tests to look at. Waits for a line before the walk ends."""

from __future__ import annotations

import sys

from mldeploy.core.events import Action, Failed, Finished, Noted, Progress, Progressed, Started
from mldeploy.core.step import Key, Resource
from mldeploy.ui.output import Output, OutputMode, ProgressDetail

BASE, IMAGE = Resource("base-image", Key("python")), Resource("image", Key("tiny"))

if __name__ == "__main__":
    output = Output.standard(OutputMode(quiet="quiet" in sys.argv))
    with output.show_progress(ProgressDetail.CHANGES) as events:
        events(Started(BASE, "Get the base image"))
        events(Progressed(BASE, Progress("3fa9bb01c0de", "Downloading", 30_000_000, 40_000_000, in_bytes=True)))
        events(Started(IMAGE, "Build the image"))
        events(Progressed(IMAGE, Progress("", "RUN uv pip install --requirement requirements.txt", 3, 9)))
        sys.stdin.readline()
        events(Finished(BASE, "Get the base image", Action.UNCHANGED, 0.2))
        events(Noted("the app answers everybody", warning=True))
        events(Finished(IMAGE, "Build the image", Action.UPDATED, 12.3, ("cpu 256 → 512",)))
        events(Failed(Resource("container", Key("tiny")), "Run the container", ValueError("no"), 3.4))
