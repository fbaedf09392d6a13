"""One deployment in a process of its own, for a test that kills it: `deploy_alone.py FOLDER NAME PORT VERSION`."""

import sys
from pathlib import Path

from mldeploy.image.engine import Engine
from tests.local.world import World

if __name__ == "__main__":
    folder, name, port, version = sys.argv[1:]
    world = World.of(Engine.connect(), Path(folder), name, int(port))
    world.env(VERSION=version)
    world.deploy()
