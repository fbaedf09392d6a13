"""How the proxy is told its routes: by a Unix socket in its container, which no network reaches.

`python3 control.py STATE_FOLDER REQUEST`, run in the container (`docker exec`), sends one request and prints the
response. Both are JSON objects: `{"backends": [[HOST, PORT, WEIGHT], …]}` sends requests to these from now on, also
after a restart; with `"check": true` only if the proxy can connect to each, and otherwise they stay as they are;
`{"drain": HOST, "seconds": N}` waits until that container answers no request any more. The response has `active`: how
many requests the container to drain is still answering; or `error`.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path

SOCKET = "control.sock"
ROUTES = "routes.json"
MAX_REQUEST = 1 << 16


def write_routes(folder: Path, text: str) -> None:
    """Replace the routes in one step: a crash leaves the old ones or the new ones."""
    new = folder / f"{ROUTES}.new"
    new.write_text(text, encoding="utf-8")
    os.replace(new, folder / ROUTES)  # noqa: PTH105 - the same, without importing more in Python 3.9


def read_routes(folder: Path) -> list[tuple[str, int, int]]:
    """Read what was written last."""
    return parse_routes((folder / ROUTES).read_text(encoding="utf-8"))


def parse_routes(text: str) -> list[tuple[str, int, int]]:
    """Parse a request's routes. Raises ValueError."""
    document = json.loads(text)
    try:
        return [(str(host), int(port), int(weight)) for host, port, weight in document["backends"]]
    except (KeyError, TypeError) as error:
        raise ValueError("no routes") from error


def send_request(folder: Path, request: str) -> str:
    """Send a request to the proxy and return its response. Raises OSError if the proxy does not run."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(folder / SOCKET))
        connection.sendall(request.encode())
        connection.shutdown(socket.SHUT_WR)
        response = b""
        while piece := connection.recv(MAX_REQUEST):
            response += piece
        return response.decode()


def main(folder: str, request: str) -> None:
    """Exit with 1 and the reason if the proxy does not answer."""
    try:
        sys.stdout.write(send_request(Path(folder), request))
    except OSError as error:
        sys.exit(f"the proxy does not answer: {error}")


if __name__ == "__main__":
    main(*sys.argv[1:])
