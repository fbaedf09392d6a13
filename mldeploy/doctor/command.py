"""Asking another program."""

from __future__ import annotations

import os
import subprocess

COMMAND_SECONDS = 4.0


def output(*command: str) -> str:
    """What a program prints to stdout; "" if it is not there, fails, or takes too long. It is asked nothing back."""
    try:
        return answer(*command).stdout
    except (OSError, subprocess.SubprocessError, ValueError):
        return ""


def answer(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a program. Raises OSError, subprocess.SubprocessError: it fails or takes too long; its stderr is in that."""
    return subprocess.run(
        command,
        check=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=COMMAND_SECONDS,
        env={**os.environ, "COLUMNS": "200"},  # what is wide must not be broken where we look for it
    )
