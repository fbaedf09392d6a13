"""Make .venv with the pinned packages and mldeploy itself; what is already there is left alone, so it may be repeated."""

import fcntl
import hashlib
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
REQUIREMENTS = ROOT / "requirements" / "dev.txt"


def main() -> int:
    # A file that every clone has carries the lock, so that nothing is left lying about.
    with REQUIREMENTS.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if subprocess.run([PYTHON, "-c", ""], check=False, capture_output=True).returncode if PYTHON.exists() else True:
            subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)
        install("requirements", [REQUIREMENTS], ["--require-hashes", "-r", str(REQUIREMENTS)])
        install("mldeploy", [ROOT / "pyproject.toml"], ["--no-build-isolation", "--no-deps", "-e", str(ROOT)])
    return 0


def install(name: str, sources: Iterable[Path], arguments: list[str]) -> None:
    """Run pip unless a stamp says that these very sources were installed; the stamp is written last."""
    stamp = VENV / f"{name}.stamp"
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return
    print(f"Installing {name} into .venv", file=sys.stderr, flush=True)
    subprocess.run([PYTHON, "-m", "pip", "install", "--quiet", *arguments], check=True)
    stamp.write_text(digest)


if __name__ == "__main__":
    sys.exit(main())
