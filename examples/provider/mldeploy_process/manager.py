"""A process manager with an HTTP API: `python -m mldeploy_process.manager PORT`. Its stand-in is the same program."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from string import Template
from typing import IO, Any
from wsgiref.simple_server import make_server

ACTIONS = {"ListApps": "GET /apps", "GetApp": "GET /apps/{name}", "PutApp": "PUT /apps/{name}"}
ACTIONS |= {"StopApp": "POST /apps/{name}/stop", "DeleteApp": "DELETE /apps/{name}", "GetLog": "GET /apps/{name}/log"}


def match_route(method: str, path: str) -> tuple[str, str]:
    """The operation of a request, and the name of its app."""
    for action, route in ACTIONS.items():
        if found := re.fullmatch(route.replace("{name}", "(?P<name>[^/]+)"), f"{method} {path}"):
            return action, found.groupdict().get("name", "")
    return f"{method} {path}", ""


@dataclass
class App:
    """One app and its process. spec: `command`, `folder`, `env`, `digest`, `owner`, as the client sent them."""

    spec: dict[str, Any]
    port: int
    log: IO[bytes]
    process: subprocess.Popen[bytes]

    @classmethod
    def start(cls, spec: dict[str, Any]) -> App:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        words = [Template(word).safe_substitute(PORT=port) for word in spec["command"]]
        log = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process writes to it
        env = {**os.environ, **spec["env"], "PORT": str(port)}
        process = subprocess.Popen(words, cwd=spec["folder"], env=env, stdout=log, stderr=log)
        return cls(spec, port, log, process)

    def stop(self) -> bool:
        was_running = self.process.poll() is None
        self.process.terminate()
        self.process.wait()
        return was_running

    def describe(self) -> dict[str, Any]:
        shown = {key: self.spec[key] for key in ("digest", "owner")}
        return {**shown, "url": f"http://127.0.0.1:{self.port}", "status": self.process.poll()}


class Manager:
    """The API, as a WSGI application."""

    def __init__(self) -> None:
        self._apps: dict[str, App] = {}
        self._mutex = threading.Lock()

    def __call__(self, environ: dict[str, Any], start: Callable[..., object]) -> Iterable[bytes]:
        action, name = match_route(environ["REQUEST_METHOD"], environ["PATH_INFO"])
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        with self._mutex:
            if action not in ACTIONS or (name not in self._apps and action not in ("ListApps", "PutApp")):
                status, result = "404 Not Found", b"{}"
            else:
                status, result = "200 OK", self._handle(action, name, body)
        start(status, [("Content-Type", "application/json"), ("Content-Length", str(len(result)))])
        return [result]

    def _handle(self, action: str, name: str, body: bytes) -> bytes:
        if action == "GetLog":
            return os.pread(self._apps[name].log.fileno(), 1 << 20, 0)
        result: object = {}
        if action == "ListApps":
            result = {each: app.describe() for each, app in self._apps.items()}
        elif action == "GetApp":
            result = self._apps[name].describe()
        elif action == "StopApp":
            result = {"stopped": self._apps[name].stop()}
        else:  # DeleteApp, PutApp
            if name in self._apps:
                self._apps.pop(name).stop()
            if action == "PutApp":
                self._apps[name] = App.start(json.loads(body))
        return json.dumps(result).encode()

    def contents(self) -> Iterator[tuple[str, str]]:
        """For the stand-in: what is in the account."""
        return (("app", name) for name in tuple(self._apps))

    def reset(self) -> None:
        """For the stand-in: stop and delete everything."""
        with self._mutex:
            while self._apps:
                self._apps.popitem()[1].stop()


if __name__ == "__main__":
    make_server("127.0.0.1", int(sys.argv[1]), Manager()).serve_forever()
