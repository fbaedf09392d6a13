"""Make .venv with the pinned packages and mldeploy itself; what is there is left alone, so it may be repeated."""

import fcntl
import hashlib
import importlib.util
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from scripts.machine import Machine, apt_install, machine_lock, say

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
REQUIREMENTS = ROOT / "requirements" / "dev.txt"
PIP = [str(PYTHON), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]


def main() -> None:
    """Return once .venv holds what it should; SystemExit with one sentence otherwise. Needs Python alone."""
    # A file that every clone has carries the lock, so that nothing is left lying about.
    with REQUIREMENTS.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not sound():
            create()
        install(
            "the pinned packages", REQUIREMENTS, ["--require-hashes", "-r", str(REQUIREMENTS)], quick=install_with_uv
        )
        install("mldeploy", ROOT / "pyproject.toml", ["--no-build-isolation", "--no-deps", "-e", str(ROOT)])


def sound() -> bool:
    """Whether .venv was made whole, in this very place, by a Python that is still there."""
    config = VENV / "pyvenv.cfg"
    if not config.exists() or str(VENV) not in config.read_text() or not PYTHON.exists():
        return False
    seek_pip = "import importlib.util, sys; sys.exit(importlib.util.find_spec('pip') is None)"
    return subprocess.run([PYTHON, "-c", seek_pip], check=False, capture_output=True).returncode == 0


def create() -> None:
    """Make .venv anew from the running Python."""
    if importlib.util.find_spec("ensurepip") is None:  # Debian has it in a package of its own
        package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        if not Machine.here().installs:
            sys.exit(f"{sys.executable} cannot make virtual environments: install {package} and run this again.")
        with machine_lock():
            apt_install(package)
    say(f"Making .venv with Python {sys.version.split()[0]}")
    if subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=False).returncode:
        sys.exit(f"{VENV} could not be made; the reason stands above.")


def install_with_uv() -> bool:
    """Have the pinned uv install the pinned packages, which takes a fifth of pip's time; False if it cannot."""
    pinned = re.search(r"^uv==(?:.*\\\n)*.*$", REQUIREMENTS.read_text(), re.MULTILINE)
    if pinned is None:
        return False
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as alone:
        alone.write(f"{pinned[0]}\n")
        alone.flush()
        if subprocess.run([*PIP, "--require-hashes", "-r", alone.name], check=False).returncode:
            return False
    uv = [str(PYTHON), "-m", "uv", "pip", "install", "--quiet", "--python", str(PYTHON), "--require-hashes"]
    return subprocess.run([*uv, "-r", str(REQUIREMENTS)], check=False, stderr=subprocess.DEVNULL).returncode == 0


def install(what: str, source: Path, arguments: list[str], quick: Callable[[], bool] = lambda: False) -> None:
    """Install what `source` says, unless a stamp says that this was done; the stamp is written last.

    quick: is tried before pip.
    """
    stamp = VENV / f"{source.name}.stamp"
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return
    say(f"Installing {what}")
    if not quick() and subprocess.run([*PIP, *arguments], check=False).returncode:
        sys.exit(f"pip could not install {what} from {source.relative_to(ROOT)}; the reason stands above.")
    stamp.write_text(digest)


if __name__ == "__main__":
    main()
