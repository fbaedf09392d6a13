"""The app behind a real server, as a client and as the one who runs it see it."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from schema import FIELDS

APP = Path(__file__).parents[1]
PERSON: Mapping[str, object] = {field.name: field.example for field in FIELDS}


@dataclass(frozen=True)
class Server:
    """gunicorn with two workers that share one preloaded model."""

    port: int
    output: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def predict(self, **changes: object) -> requests.Response:
        """Ask for the charge of the example's person, with some answers changed."""
        return requests.post(f"{self.url}/predict_api", json={**PERSON, **changes}, timeout=120)

    def counted(self, sample: str) -> float:
        """The value of one sample at /metrics, 0 where it is not there yet."""
        text = requests.get(f"{self.url}/metrics", timeout=120).text
        found = re.search(rf"^{re.escape(sample)} (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    def workers(self) -> list[int]:
        """The processes that the server has forked and that still run."""
        master = self.process.pid
        return [int(child) for child in Path(f"/proc/{master}/task/{master}/children").read_text("ascii").split()]

    def stop(self) -> list[dict[str, object]]:
        """Stop it as a container's engine would, and return the JSON lines among what it wrote."""
        self.process.terminate()
        assert self.process.wait(timeout=300) == 0
        lines = self.output.read_text("utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]


@contextmanager
def running(model: Path, folder: Path, environment: Mapping[str, str]) -> Iterator[Server]:
    """Start a server with `folder` as its temporary folder, and wait until it has forked a worker.

    Its socket listens before that, so a request would not fail, but its timeout would include the import of the app.
    """
    output = folder / "output"
    own = {name: value for name, value in os.environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"}
    with closing(socket.create_server(("127.0.0.1", 0))) as listener, output.open("wb") as file:
        handle = listener.fileno()
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "app:app", "--preload", "--workers=2", f"--bind=fd://{handle}"],
            cwd=APP,
            env={**own, "MODEL_PATH": str(model), "TMPDIR": str(folder), **environment},
            stdout=file,
            stderr=subprocess.STDOUT,
            pass_fds=[handle],
        )
        try:
            server = Server(listener.getsockname()[1], output, process)
            while "Booting worker" not in output.read_text("utf-8"):
                assert process.poll() is None, output.read_text("utf-8")
                time.sleep(0.05)
            yield server
        finally:
            process.terminate()
            process.wait(timeout=300)
