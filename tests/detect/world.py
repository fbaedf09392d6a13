"""A folder of the corpus on a real engine, with the settings of this machine, and nothing of it left afterwards."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mldeploy.config.load import load
from mldeploy.config.paths import config_file
from mldeploy.image.engine import Engine
from tests.cli.command import Command, Result
from tests.detect import trained
from tests.detect.folders import Case
from tests.names import app_name, remove_app
from tests.ports import reserved_port

PINS = {
    "bottle": "0.13.4",
    "dash": "3.2.0",
    "fastapi": "0.139.0",
    "flask": "3.1.3",
    "gradio": "6.31.0",
    "gunicorn": "23.0.0",
    "joblib": "1.6.0",
    "scikit-learn": trained.HERE,
    "streamlit": "1.67.0",
    "uvicorn": "0.38.0",
}
"""What is installed instead of the versions of another time."""
SERVER = re.compile(r"^(\s*[A-Za-z-]+)\s*==\s*[\w.]+", re.MULTILINE)
BASE = re.compile(r"^FROM python:\S+(.*)$", re.MULTILINE)


def lifted(path: str, text: str, folder: Path) -> str:
    """A file with its old pins lifted to what this machine's Python can install."""
    name = path.rpartition("/")[2]
    if name.startswith("requirements") and name.endswith(".txt"):
        return SERVER.sub(lambda match: _lifted(match[1], match[0]), text)
    if name == "Dockerfile":
        build = load(folder).build
        trust = "\nCOPY certificates.pem /trusted.pem\nENV PIP_CERT=/trusted.pem" if build.ca_bundle else ""
        return BASE.sub(rf"FROM {build.base_image}\1{trust}\nENV PIP_BREAK_SYSTEM_PACKAGES=1", text)
    return text


def _lifted(name: str, line: str) -> str:
    pin = PINS.get(name.strip().lower())
    return f"{name}=={pin}" if pin else line


def copied(case: Case, root: Path) -> Path:
    """The case's folder, its pins lifted, under a name that no other app has: the app is named after it."""
    made = case.make(root)
    folder = made.rename(root / app_name())
    for path in [*case.content.get("files", {})]:
        old = (folder / path).read_text("utf-8", "surrogateescape")
        if (new := lifted(path, old, folder)) != old:
            (folder / path).write_text(new, "utf-8")
    for path, recipe in case.content.get("models", {}).items():
        trained.save(folder / path, recipe.partition("@")[0])
    return folder


@dataclass(frozen=True)
class World:
    """The command line in such a folder."""

    run: Command

    @property
    def name(self) -> str:
        return self.run.folder.name

    def must(self, *arguments: str) -> Result:
        """Run a command that has to succeed."""
        result = self.run(*arguments, within=1700)
        assert result.code == 0, f"mldeploy {' '.join(arguments)}\n{result.out}\n{result.err}"
        return result

    def predicted(self, ask: object) -> object:
        """What `mldeploy predict` gets for a JSON document, or for a text as a table of comma-separated values."""
        if isinstance(ask, str):
            (self.run.folder.parent / "rows.csv").write_text(ask)
            asked = ("--csv", str(self.run.folder.parent / "rows.csv"))
        else:
            asked = ("--data", json.dumps(ask))
        return _rounded(self.must("predict", *asked, "--json").document["answer"])


def _rounded(answer: object) -> object:
    """An answer without what the last digits of floating-point numbers depend on."""
    if isinstance(answer, dict):
        return {key: _rounded(value) for key, value in answer.items()}
    return round(answer, 6) if isinstance(answer, float) else answer


@contextmanager
def world(case: Case, root: Path) -> Iterator[World]:
    """The case's folder, ready to be deployed on a free port."""
    home = root / "home"
    folder = copied(case, root)
    if config_file().exists():
        (home / "config" / "mldeploy").mkdir(parents=True)
        shutil.copy(config_file(), home / "config" / "mldeploy")
    base = load(folder).build.base_image  # also where a case names a Python that this machine has no image of
    try:
        with reserved_port() as port:
            run = Command(home, folder)
            yield World(run.with_env(MLDEPLOY_TARGET_LOCAL_PORT=str(port), MLDEPLOY_BUILD_BASE_IMAGE=base))
    finally:
        engine = Engine.connect()
        remove_app(engine, folder.name)
        engine.client.close()
