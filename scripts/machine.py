"""What the set-up scripts share: which machine this is, its packages, its lock, and commands with a log."""

import fcntl
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# One set-up at a time on a machine: two clones share its packages, its engine and the engine's images.
LOCK = Path("/run/lock/mldeploy-setup.lock")


@dataclass(frozen=True)
class Machine:
    """What decides how a missing program can get onto a machine."""

    system: str  # as `uname` says it: "Linux", "Darwin"
    distributions: frozenset[str]  # os-release's ID and ID_LIKE
    root: bool
    systemd: bool

    @classmethod
    def here(cls) -> "Machine":
        """The machine that runs this."""
        release = platform.freedesktop_os_release() if Path("/etc/os-release").exists() else {}
        init = Path("/proc/1/comm")
        return cls(
            system=platform.system(),
            distributions=frozenset([release.get("ID", ""), *release.get("ID_LIKE", "").split()]),
            root=os.geteuid() == 0,
            systemd=init.exists() and init.read_text().strip() == "systemd",
        )

    @property
    def installs(self) -> bool:
        """Whether packages can be installed here with apt-get and without asking anybody."""
        return self.root and "debian" in self.distributions


@contextmanager
def machine_lock(path: Path = LOCK) -> Iterator[None]:
    """Hold the machine's set-up lock, waiting for whoever holds it. Needs root. Children do not inherit it."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def say(sentence: str) -> None:
    """Tell the user what is going on, on stderr."""
    print(sentence, file=sys.stderr, flush=True)


def run(
    command: Sequence[str | Path], what: str, environment: Mapping[str, str] | None = None, attempts: int = 1
) -> None:
    """Run a command to its end without its talk; SystemExit with the last lines of that talk when it fails.

    attempts: how often to try, with a pause between, what only the network may have spoilt.
    """
    for attempt in range(1, attempts + 1):
        code, talk = _run(command, {**os.environ, **(environment or {})})
        if code == 0:
            return
        if attempt == attempts:
            sys.exit(f"{what} failed (exit code {code}):\n{last_lines(talk)}")
        time.sleep(5)


def _run(command: Sequence[str | Path], environment: Mapping[str, str]) -> tuple[int, str]:
    # A file and not a pipe: a service that a package starts would keep a pipe open, and us waiting, for ever.
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        ended = subprocess.run(
            command, check=False, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=environment
        )
        log.seek(0)
        return ended.returncode, log.read()


def last_lines(text: str, count: int = 15) -> str:
    """The end of a log, indented to stand under a sentence."""
    return "\n".join(f"  {line}" for line in text.rstrip().splitlines()[-count:]) or "  (it said nothing)"


def apt_install(*packages: str) -> None:
    """Install the distribution's packages without the recommended ones. Hold `machine_lock`; may be repeated."""
    say(f"Installing {', '.join(packages)} with apt-get")
    # A source that cannot be updated may be somebody's own and not needed here. Another apt-get is waited for.
    script = 'timeout 300 apt-get update; apt-get install --yes --no-install-recommends -o DPkg::Lock::Timeout=600 "$@"'
    what = f"apt-get install {' '.join(packages)}"
    run(["sh", "-c", script, "sh", *packages], what, {"DEBIAN_FRONTEND": "noninteractive"}, attempts=3)
