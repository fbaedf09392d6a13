"""See to it that a Docker engine answers; on Debian and Ubuntu root gets the distribution's, elsewhere one sentence helps."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import docker
import psutil
from docker.context import ContextAPI
from docker.errors import DockerException

from scripts.machine import Machine, apt_install, last_lines, machine_lock, run, say

DEFAULT_HOST = "unix:///var/run/docker.sock"
LOG = Path("/var/log/dockerd.log")
START_SECONDS = 60.0
# Without an init nobody has mounted the control groups (cgroupfs-mount), and dockerd calls these by name.
PACKAGES = ("docker.io", "iptables", "ca-certificates", "cgroupfs-mount")


def main() -> None:
    """Return once an engine answers; SystemExit with one sentence when none can be had. May be repeated, also at once."""
    if answers():
        return
    machine, host = Machine.here(), chosen_host()
    if host != DEFAULT_HOST or not machine.installs:
        sys.exit(advice(machine, host))
    with machine_lock():
        if answers():  # another set-up was faster
            return
        if shutil.which("dockerd") is None:
            apt_install(*PACKAGES)
        start(machine)
    say("A Docker engine answers now.")


def answers() -> bool:
    """Whether the engine that the user has chosen (DOCKER_HOST, then the Docker context) answers."""
    try:
        return bool(docker.from_env(timeout=5).ping())
    except (DockerException, OSError):
        return False


def chosen_host() -> str:
    """The address of the engine that the user has chosen."""
    return os.environ.get("DOCKER_HOST") or ContextAPI.get_current_context().Host or DEFAULT_HOST


def advice(machine: Machine, host: str) -> str:
    """What to do when no engine answers at `host` and this program cannot bring one."""
    socket = Path(host.removeprefix("unix://"))
    if host.startswith("unix://") and socket.exists() and not os.access(socket, os.R_OK | os.W_OK):
        return (
            f"You may not use the Docker engine's socket {socket}: "
            "let an administrator add you to its group (usermod -aG docker YOU) and log in again."
        )
    if host != DEFAULT_HOST:
        origin = "DOCKER_HOST" if os.environ.get("DOCKER_HOST") else "your Docker context"
        return f"No Docker engine answers at {host}, which {origin} names: start it, or choose another."
    if machine.system == "Darwin":
        return "No Docker engine answers: install and start Docker Desktop, OrbStack or colima, then run this again."
    if "debian" in machine.distributions:
        return "No Docker engine answers: run this as root once, or install and start one (apt-get install docker.io)."
    return "No Docker engine answers: install and start your distribution's Docker Engine, then run this again."


def start(machine: Machine) -> None:
    """Start the distribution's engine and wait until it answers; SystemExit with the reason when it does not."""
    if machine.systemd:
        run(["systemctl", "start", "docker"], "systemctl start docker")
        wait(None, LOG)
    elif any(process.info["name"] == "dockerd" for process in psutil.process_iter(["name"])):
        wait(None, LOG)  # its package has just started it
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


def wait(daemon: subprocess.Popen[bytes] | None, log: Path, seconds: float = START_SECONDS) -> None:
    """Return once the engine answers; SystemExit with its log's end when it ends or takes longer than `seconds`."""
    deadline = time.monotonic() + seconds
    while not answers():
        if daemon is None:
            time.sleep(0.2)
        else:
            try:
                code = daemon.wait(0.2)
                sys.exit(f"dockerd ended at once (exit code {code}); {log} ends with:\n{end_of(log)}")
            except subprocess.TimeoutExpired:
                pass
        if time.monotonic() > deadline:
            sys.exit(f"dockerd runs but does not answer within {seconds:.0f} s; {log} ends with:\n{end_of(log)}")


def end_of(log: Path) -> str:
    """The log's last lines, if there is a log."""
    return last_lines(log.read_text(errors="replace") if log.exists() else "")


if __name__ == "__main__":
    main()
