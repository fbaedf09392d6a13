"""The app that was recorded, the command line of its user, and the stand-ins behind `--rehearse`.

Nothing of mldeploy is imported: what is used is the command line and files whose form users depend on, or which the
command line itself reads (`place.json` of a stand-in).
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import requests
from docker.errors import APIError

RECORD = Path(__file__).with_name("b16de7f")
"""What the version of that commit has left behind."""
APP = "compat-b16de7f"
"""The app's name. It decides tags and fingerprints, so that it is the same in every test."""
ROOT = Path(__file__).resolve().parents[2]
CLOUDS: Mapping[str, str] = {
    "ecr": "aws",
    "fargate": "aws",
    "gar": "gcp",
    "gcr": "gcp",
    "gke": "gcp",
    "kubernetes": "kubernetes",
    "acr": "azure",
    "webapp": "azure",
    "dockerhub": "dockerhub",
}
"""The name of each target's stand-in."""
REGISTRIES = ("ecr", "gar", "gcr", "acr", "dockerhub")
"""Targets where no app runs: `push` instead of `deploy`."""
_OWN = ("DOCKER_", "MLDEPLOY_", "XDG_", "LC_", "AWS_", "AZURE_", "GOOGLE_")


def load(name: str) -> Any:
    """A JSON file of the record."""
    return json.loads((RECORD / name).read_text(encoding="utf-8"))


def recorded_targets() -> tuple[str, ...]:
    """The cloud targets in the record. One is left out whose stand-in does not serve the recorded app: see `record`."""
    return tuple(target for target in CLOUDS if (RECORD / f"{target}.json").exists())


@dataclass(frozen=True)
class User:
    """Somebody with an app and folders of their own."""

    folder: Path

    @property
    def app(self) -> Path:
        return self.folder / "app"

    @property
    def state(self) -> Path:
        """mldeploy's state folder."""
        return self.folder / "state" / "mldeploy"

    def write_app(self) -> None:
        """The app as it was recorded, with the mode that decides its hash."""
        shutil.copytree(RECORD / "app", self.app)
        for file in self.app.iterdir():
            file.chmod(0o755 if file.name == "server" else 0o644)

    def run(self, *words: str, code: int = 0) -> Any:
        """Run `mldeploy … --json`; the document that it prints."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_OWN)}
        if "DOCKER_HOST" in os.environ:
            kept["DOCKER_HOST"] = os.environ["DOCKER_HOST"]
        folders = {f"XDG_{name.upper()}_HOME": str(self.folder / name) for name in ("state", "config", "cache")}
        done = subprocess.run(
            (sys.executable, "-m", "mldeploy", *words, "--json"),
            capture_output=True,
            text=True,
            cwd=self.app,
            env={**kept, **folders, "LANG": "C.UTF-8", "PYTHONPATH": str(ROOT), "HOME": str(self.folder)},
            timeout=1200,
            check=False,
        )
        assert done.returncode == code, f"mldeploy {' '.join(words)}: exit code {done.returncode}\n{done.stderr}"
        return json.loads(done.stdout)


@dataclass(frozen=True)
class StandIn:
    """A stand-in that runs. place: what it has written into `place.json`."""

    place: Mapping[str, Any]

    @classmethod
    def of(cls, user: User, cloud: str) -> StandIn:
        return cls(json.loads((user.state / f"rehearsal.{cloud}" / "place.json").read_text(encoding="utf-8")))

    @property
    def network(self) -> str:
        """Its part of 127.0.0.0/8: `127.A.B`."""
        return str(self.place["registry"]).rpartition(".")[0]

    def look(self, what: str) -> Any:
        """`calls` or `contents`, from the stand-in's own interface."""
        with requests.Session() as session:
            session.trust_env = False
            answer = session.get(
                f"{self.place['url']}/rehearsal/{what}",
                headers={"X-Rehearsal-Token": self.place["token"]},
                verify=self.place["ca_bundle"] or True,
                timeout=600,
            )
        answer.raise_for_status()
        return answer.json()

    def hide(self, text: str) -> str:
        """Without what is another one in each stand-in."""
        return text.replace(self.network, "@NET@")

    def fill(self, text: str) -> str:
        """The reverse of `hide`."""
        return text.replace("@NET@", self.network)

    def writing(self) -> list[str]:
        """The calls that may have changed something, by the platform's own names."""
        return [call["action"] for call in self.look("calls") if call["writing"]]


@contextmanager
def alone() -> Iterator[docker.DockerClient]:
    """The engine, while nobody else plays with the recorded app on it; nothing of the app is there before or after."""
    with (Path(tempfile.gettempdir()) / f"mldeploy-{APP}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        client = docker.from_env()
        try:
            clear(client)
            yield client
            clear(client)
        finally:
            client.close()


def clear(client: docker.DockerClient) -> None:
    """Remove what the recorded app has on the engine. What a stand-in runs of it goes with the stand-in."""
    own: dict[str, str | list[str] | bool] = {"label": [f"mldeploy.app={APP}", "mldeploy.spec"]}
    for container in client.containers.list(all=True, filters=own):
        container.remove(force=True)
    for image in client.images.list(filters={"label": f"mldeploy.app={APP}"}):
        with suppress(APIError):  # somebody's stand-in still runs it
            client.images.remove(str(image.id), force=True)


def shape(value: Any) -> Any:
    """A document's fields and their types, without values."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return "null" if value is None else type(value).__name__
