"""The stock model and app that every contestant gets: trained once, then copied."""

from __future__ import annotations

import shutil
from pathlib import Path

from bench.contestants.contestant import run
from bench.environments import environment

HERE = Path(__file__).parent
STOCK = HERE / "stock_app"
PEERS = HERE / "peers"


def trained(scratch: Path) -> Path:
    """Train the model with the versions that it will be served with; the file."""
    folder = scratch / "training"
    folder.mkdir()
    shutil.copy(STOCK / "train.py", folder)
    run([environment("stock", STOCK / "requirements.txt") / "python", "train.py"], folder)
    return folder / "model.joblib"


def copy(model: Path, folder: Path, *, server: bool = True) -> Path:
    """The app's folder with the model in it, for one contestant to edit; its path.

    server: whether the requirements name the app's web framework, which a tool with a server of its own does not need.
    """
    shutil.copytree(STOCK, folder, ignore=shutil.ignore_patterns("train.py", "__pycache__"))
    shutil.copy(model, folder)
    if not server:
        requirements = folder / "requirements.txt"
        lines = requirements.read_text().splitlines()
        requirements.write_text("".join(f"{line}\n" for line in lines if not line.startswith(("#", "flask"))))
    return folder


def pinned(package: str) -> str:
    """Which version of a contestant is compared."""
    lines = (PEERS / f"{package}.txt").read_text().splitlines()
    return next(line.removeprefix(f"{package}==") for line in lines if line.startswith(f"{package}=="))
