"""See to it that a Docker engine answers: root on Debian and Ubuntu gets the distribution's, others one sentence."""

import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from mldeploy.image.engine import DEFAULT_ENDPOINT, Engine
from mldeploy.image.errors import EngineError
from scripts.machine import Machine, apt_install, last_lines, machine_lock, run, say

LOG = Path("/var/log/dockerd.log")
START_SECONDS = 60.0
PACKAGES = ("docker.io", "iptables", "ca-certificates")


def main() -> None:
    """Return once an engine answers; SystemExit with one sentence when none can be had. May be repeated."""
    error = refusal()
    if error is None:
        return
    machine = Machine.here()
    if error.where != DEFAULT_ENDPOINT or not machine.installs:
        sys.exit(advice(error, machine))
    with machine_lock():
        if refusal() is None:  # another set-up was faster
            return
        if shutil.which("dockerd") is None:
            apt_install(*PACKAGES)
        start(machine)
    say("A Docker engine answers now.")


def refusal() -> EngineError | None:
    """Why the engine that the user has chosen does not answer; None if it does."""
    try:
        Engine.connect().client.close()
    except EngineError as error:
        return error
    return None


def advice(error: EngineError, machine: Machine, default: str = DEFAULT_ENDPOINT) -> str:
    """What to do when this program cannot bring an engine: install one if there is none, else what the error says."""
    if error.where != default or Path(default.removeprefix("unix://")).exists():
        return str(error)
    if machine.system == "Darwin":
        install = "install and start Docker Desktop, OrbStack or colima"
    elif "debian" in machine.distributions:
        install = "run this as root once, or install and start an engine (apt-get install docker.io)"
    else:
        install = "install and start your distribution's Docker Engine"
    return f"There is no Docker engine: {install}, then run this again."


def start(machine: Machine) -> None:
    """Start the distribution's engine and wait until it answers; SystemExit with the reason when it does not."""
    if machine.systemd:
        run(["systemctl", "start", "docker"], "systemctl start docker")
        wait(None, None)
    elif any(process.info["name"] == "dockerd" for process in psutil.process_iter(["name"])):
        wait(None, None)  # its package has just started it
    else:
        say(f"Starting dockerd; its log is {LOG}")
        wait(launch(["dockerd"], LOG), LOG)


def launch(command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """Start a daemon that outlives us and holds nothing of ours: no terminal, no pipe, no lock, no folder."""
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd="/",
        )


def wait(daemon: subprocess.Popen[bytes] | None, log: Path | None, seconds: float = START_SECONDS) -> None:
    """Return once the engine answers. SystemExit with its log's end when it ends before, or takes more than `seconds`.

    `daemon` and `log` are the engine's process and log if we started it; one that takes too long is ended.
    """
    deadline = time.monotonic() + seconds
    while refusal() is not None:
        if daemon is not None and daemon.poll() is not None:
            sys.exit(f"dockerd ended with exit code {daemon.returncode}{end_of(log)}")
        if time.monotonic() > deadline:
            if daemon is not None:
                daemon.terminate()
            sys.exit(f"dockerd does not answer after {seconds:.0f} s{end_of(log)}")
        time.sleep(0.1)


def end_of(log: Path | None) -> str:
    """How a sentence about the engine ends: with its log's last lines, or where its log may be."""
    if log is None:
        return "; its log may say why (journalctl -u docker, or /var/log/docker.log)."
    return f"; {log} ends with:\n{last_lines(log.read_text(errors='replace'))}"


if __name__ == "__main__":
    main()
