"""Virtual environments for the tools that are compared.

They are big, and needed by nothing else, so they are kept in the user's cache.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from pathlib import Path

from platformdirs import user_cache_path

from bench.contestants.contestant import run

UV = str(Path(sys.executable).with_name("uv"))


def environment(name: str, requirements: Path) -> Path:
    """The folder of programs of an environment with exactly those requirements; made at the first call, minutes."""
    key = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:12]
    kept = user_cache_path("mldeploy-bench") / f"{name}-{key}"
    done = kept / "complete"
    if not done.exists():
        sys.stderr.write(f"Installing {name} in {kept} …\n")
        shutil.rmtree(kept, ignore_errors=True)
        run([UV, "venv", "--quiet", "--python", sys.executable, kept], requirements.parent)
        install = [UV, "pip", "install", "--quiet", "--python", kept, "--compile-bytecode", "--requirements"]
        run([*install, requirements], requirements.parent)
        done.touch()
    return kept / "bin"
