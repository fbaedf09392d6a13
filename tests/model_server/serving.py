"""Models of each kind, made here, and the server behind gunicorn, as a client and an operator see it."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import requests

from mldeploy_model.formats import describe_model
from mldeploy_model.schema import ModelSchema, write_models

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class ModelServer:
    """gunicorn with two workers that share preloaded models."""

    port: int
    output: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str) -> requests.Response:
        return requests.get(f"{self.url}{path}", timeout=300)

    def post(self, document: object, path: str = "/predict", **headers: str) -> requests.Response:
        """Send JSON, which may be a text already."""
        body = document if isinstance(document, (str, bytes)) else json.dumps(document)
        sent = {"content-type": "application/json", **{name.replace("_", "-"): each for name, each in headers.items()}}
        return requests.post(
            f"{self.url}{path}", data=body.encode() if isinstance(body, str) else body, headers=sent, timeout=300
        )

    def metric(self, sample: str) -> float:
        """The value of one sample at /metrics, 0 while it is not there."""
        match = re.search(rf"^{re.escape(sample)} (\S+)$", self.get("/metrics").text, re.MULTILINE)
        return float(match[1]) if match else 0.0

    def workers(self) -> list[int]:
        master = self.process.pid
        return [int(child) for child in Path(f"/proc/{master}/task/{master}/children").read_text("ascii").split()]

    def log(self) -> str:
        return self.output.read_text("utf-8")


def describe(folder: Path, path: str, sample: str | None = None, **changes: object) -> ModelSchema:
    """The schema of a model in a folder, as `mldeploy` writes it from the model's description."""
    described = describe_model(folder / path, folder / sample if sample else None)
    schema = ModelSchema(
        name=Path(path).stem,
        path=path,
        format=described.format,
        task=described.task,
        columns=described.columns,
        target=described.target,
        classes=described.classes,
        probabilities=described.probabilities,
        sample=described.sample,
    )
    return replace(schema, **changes)  # type: ignore[arg-type]


def write_schemas(folder: Path, schemas: Sequence[ModelSchema]) -> Path:
    file = folder / ".mldeploy" / "models.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(write_models(schemas), "utf-8")
    return file


@contextmanager
def serving(folder: Path, schemas: Sequence[ModelSchema], **environment: str) -> Iterator[ModelServer]:
    """Start the server of these models, and wait until it has forked its workers."""
    output = folder / "output"
    settings: Mapping[str, str] = {
        **os.environ,
        "MLDEPLOY_MODELS": str(write_schemas(folder, schemas)),
        "TMPDIR": str(folder),
        "OMP_NUM_THREADS": "1",  # as in the image
        **environment,
    }
    program = [sys.executable, "-m", "gunicorn", "mldeploy_model.server:app", "--preload", "--workers=2", "--threads=4"]
    with closing(socket.create_server(("127.0.0.1", 0))) as listener, output.open("wb") as file:
        handle = listener.fileno()
        process = subprocess.Popen(
            [*program, f"--bind=fd://{handle}", "--no-control-socket"],
            cwd=ROOT,
            env=settings,
            stdout=file,
            stderr=subprocess.STDOUT,
            pass_fds=[handle],
        )
        try:
            server = ModelServer(listener.getsockname()[1], output, process)
            while server.log().count("Booting worker") < 2:
                assert process.poll() is None, server.log()
                time.sleep(0.05)
            yield server
        finally:
            process.terminate()
            process.wait(timeout=300)
