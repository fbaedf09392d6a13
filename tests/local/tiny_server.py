"""The program in the tests' images: a web server that fails in every way in which a user's app can. Python 3.11 alone.

MODE says how, VERSION is what it answers with. It ends after SIGTERM when it has answered what it has accepted.
"""
# ruff: noqa: A002, PTH123, S301, S310, SIM115, T201 - it misbehaves on purpose, and nobody else runs it

import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

VERSION = os.environ.get("VERSION", "1")
PORT = int(os.environ["PORT"])
SLOW: list[object] = []
BALLAST = bytes(1) * (int(os.environ.get("BALLAST", "0")) << 20)


class Mode:
    """How to behave now: a name, and a detail after a colon."""

    name = ""
    detail = ""

    @classmethod
    def set(cls, text: str) -> None:
        cls.name, _, cls.detail = text.partition(":")


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path == "/health":
            self.health()
        elif url.path == "/slow":
            SLOW.append(self.client_address)
            time.sleep(float(parse_qs(url.query)["seconds"][0]))
            self.answer(200, {"version": VERSION})
        elif url.path == "/hang":
            Mode.set("hang")
            self.answer(200, {})
        elif url.path == "/accepted":
            self.answer(200, len(SLOW))
        elif url.path == "/facts":
            self.answer(200, facts())
        else:
            self.answer(200, {"version": VERSION})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if Mode.name == "broken-model":
            raise ValueError("the model has 5 features, the row has 6")
        self.answer(200, {"prediction": float(os.environ.get("PREDICTION", "1.5")), "version": VERSION})

    def health(self) -> None:
        if Mode.name == "status":
            self.answer(int(Mode.detail), {"error": "not this way"})
        elif Mode.name == "redirect":
            self.answer(302, {}, {"Location": "/login"})
        elif Mode.name == "hang":
            time.sleep(600)
        else:
            self.answer(200, {"status": "ok"})

    def answer(self, status: int, document: object, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        print(f"version {VERSION}: {format % args}", flush=True)


class Server(ThreadingHTTPServer):
    daemon_threads = False  # so that closing waits for the answers
    request_queue_size = 128


def facts() -> dict[str, object]:
    """What a container can tell about its own walls."""
    status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
    return {
        "uid": os.getuid(),
        "capabilities": int(status["CapEff"], 16),
        "no_new_privileges": status["NoNewPrivs"].strip() == "1",
        "root_writable": writable("/written"),
        "tmp_writable": writable("/tmp/written"),
        "environment": dict(os.environ),
    }


def writable(path: str) -> bool:
    try:
        with open(path, "w"):
            return True
    except OSError:
        return False


def log_and_sleep(line: str) -> None:
    """As an app that cannot write its log, and goes on loading."""
    print(line, flush=True)
    time.sleep(600)


def serve(address: str, port: int) -> None:
    server = Server((address, port), Handler)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"version {VERSION}: listening on {address}:{port}", flush=True)
    server.serve_forever(poll_interval=0.05)
    server.server_close()


def eat_memory() -> None:
    eaten = []
    while True:
        eaten.append(bytearray(8 << 20))


def ignore_the_wish_to_stop() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Server(("0.0.0.0", PORT), Handler).serve_forever()


def start_late() -> None:
    time.sleep(float(Mode.detail))
    serve("0.0.0.0", PORT)


def listen_without_http() -> None:
    listener = socket.create_server(("0.0.0.0", PORT))
    while True:
        connection, _ = listener.accept()
        connection.sendall(b"220 mail ready\r\n")
        connection.close()


def lose_a_worker() -> None:
    """As a pre-forking server does: the workers go, the first process stays and waits."""
    subprocess.run([sys.executable, __file__], check=False, env={**os.environ, "MODE": "eat"})
    print("a worker was lost", flush=True)
    time.sleep(600)


def first_metrics_then_work() -> None:
    """Opens another port first, computes for a while, and only then serves."""
    threading.Thread(target=Server(("0.0.0.0", 9090), Handler).serve_forever, daemon=True).start()
    end = time.monotonic() + float(Mode.detail)
    while time.monotonic() < end:
        pass
    serve("0.0.0.0", PORT)


def ask_what_to_do() -> None:
    """Behaves as somebody outside says, who may say something else to the next container of the same version."""
    with urlopen(f"http:{Mode.detail}") as answer:
        Mode.set(answer.read().decode())
    behave()


def behave() -> None:
    MODES.get(Mode.name, MODES[""])()


MODES: dict[str, Callable[[], object]] = {
    "http": ask_what_to_do,
    "": lambda: serve("0.0.0.0", PORT),
    "exit": lambda: sys.exit(int(Mode.detail)),
    "import": lambda: __import__(Mode.detail),
    "unpickle": lambda: pickle.loads(b"version https://git-lfs"),
    "log": lambda: sys.exit(Mode.detail),
    "eat": eat_memory,
    "lose-worker": lose_a_worker,
    "elsewhere": lambda: serve("127.0.0.1", int(Mode.detail)),
    "other-port": lambda: serve("0.0.0.0", int(Mode.detail)),
    "deaf": ignore_the_wish_to_stop,
    "silent": lambda: time.sleep(600),
    "noisy": lambda: log_and_sleep("PermissionError: [Errno 13] Permission denied: '/app/logs.log'"),
    "late": start_late,
    "no-http": listen_without_http,
    "metrics": first_metrics_then_work,
    "read-only": lambda: open("/app.log", "w"),
}

if __name__ == "__main__":
    Mode.set(os.environ.get("MODE", ""))
    behave()
