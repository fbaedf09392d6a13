"""The programs that measuring needs and that the rest of the project does not."""

from __future__ import annotations

import shutil
import sys

PACKAGES = {"docker": "docker-cli, or docker.io on Debian 12", "wrk": "wrk"}


def require(*programs: str) -> None:
    """SystemExit that names each program that is missing, and the package to install; before minutes are spent."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        messages = ", ".join(f"{program} (Debian's package: {PACKAGES[program]})" for program in missing)
        sys.exit(f"This needs programs that are not installed: {messages}.")
