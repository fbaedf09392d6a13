"""A stand-in for OSV's API, on a port of its own: it answers as https://google.github.io/osv.dev/api/ says."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Osv:
    """known: vulnerabilities by (name, version). details: by id. asked: what came. status: of every answer.

    pages: after so many vulnerabilities the rest of them is on another page. body: sent instead of any answer.
    """

    known: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    details: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[tuple[str, Any]] = field(default_factory=list)
    status: int = 200
    page: int = 100
    body: bytes | None = None
    url: str = ""

    def answer(self, path: str, body: Any) -> tuple[int, object]:
        self.asked.append((path, body))
        if path == "/v1/querybatch":
            return self.status, {"results": [self._result(query) for query in body["queries"]]}
        result = self.details.get(path.removeprefix("/v1/vulns/"))
        return (self.status, result) if result else (404, {"code": 5, "message": "Bug not found."})

    def _result(self, query: Any) -> dict[str, object]:
        assert query["package"]["ecosystem"] == "PyPI"
        ids = self.known.get((query["package"]["name"], query["version"]), [])
        start = int(query.get("page_token", "0"))
        result: dict[str, object] = {}
        if now := ids[start : start + self.page]:
            result["vulns"] = [{"id": each, "modified": "2024-01-01T00:00:00Z"} for each in now]
        if len(ids) > start + self.page:
            result["next_page_token"] = str(start + self.page)
        return result


@contextmanager
def served() -> Iterator[Osv]:
    osv = Osv()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.reply(None)

        def do_POST(self) -> None:
            self.reply(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def reply(self, body: Any) -> None:
            status, document = osv.answer(self.path, body)
            data = osv.body if osv.body is not None else json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        osv.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield osv
        server.shutdown()
        thread.join()
