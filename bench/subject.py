"""What is measured: a copy of the example, under a name of its own, with the commands of both sides."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MLDEPLOY = str(Path(sys.executable).with_name("mldeploy"))
COPIED = shutil.ignore_patterns(".venv", "__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", "tests", "*.png")


@dataclass(frozen=True)
class Subject:
    """One copy of the example app in a folder that may be edited, and the environment in which it is worked on."""

    folder: Path
    environment: dict[str, str]

    @property
    def name(self) -> str:
        return self.environment["MLDEPLOY_APP_NAME"]

    def mldeploy(self, *arguments: str) -> dict[str, object]:
        """Run one command with --json and return its document. Raises CalledProcessError if it fails."""
        command = [MLDEPLOY, "-C", str(self.folder), *arguments, "--json"]
        ran = subprocess.run(command, check=True, capture_output=True, env=self.environment, stdin=subprocess.DEVNULL)
        document: dict[str, object] = json.loads(ran.stdout)
        return document

    def on_base(self, base: str) -> Subject:
        """The same folder on another base image."""
        return Subject(self.folder, {**self.environment, "MLDEPLOY_BUILD_BASE_IMAGE": base})

    def edit_code(self) -> None:
        """Change one line of the app's code, another one each time."""
        with (self.folder / "app.py").open("a") as file:
            file.write(f"\n# {uuid.uuid4()}\n")

    def edit_model(self) -> None:
        """Make the model file another one of the same size and use: what follows a pickle's end is not read."""
        with (self.folder / "model.joblib").open("ab") as file:
            file.write(uuid.uuid4().bytes)


@contextmanager
def subject(scratch: Path) -> Iterator[Subject]:
    """A copy of the example with its trained model, gone from the engine afterwards."""
    folder = scratch / "app"
    shutil.copytree(ROOT / "example_app", folder, ignore=COPIED)
    own = {"MLDEPLOY_APP_NAME": f"bench-{uuid.uuid4().hex[:8]}", "MLDEPLOY_TARGET_LOCAL_PORT": "0"}
    made = Subject(folder, {**os.environ, **own, "XDG_STATE_HOME": str(scratch / "state")})
    try:
        yield made
    finally:
        made.mldeploy("destroy", "--yes")
