"""`python3 -m mldeploy_proxy PORT STATE_FOLDER`: serve until SIGTERM."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from mldeploy_proxy.backends import Backends
from mldeploy_proxy.control_server import ControlServer
from mldeploy_proxy.server import ProxyServer


async def serve(port: int, folder: Path) -> None:
    """Serve the routes that `folder` holds."""
    backends = Backends()
    await ControlServer(backends, folder).listen()
    await ProxyServer(backends).run(port)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
