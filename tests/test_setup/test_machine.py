"""Commands with a log, and the lock of the machine."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.machine import Machine, last_lines, run


def test_a_failed_command_is_named_with_its_exit_code_and_last_words() -> None:
    talk = "for line in $(seq 30); do echo line $line; done; echo no space left >&2; exit 3"
    with pytest.raises(SystemExit) as failure:
        run(["sh", "-c", talk], "Packing")
    message = str(failure.value)
    assert message.startswith("Packing failed (exit code 3):")
    assert message.endswith("no space left")
    assert "line 30" in message
    assert "line 3\n" not in message, "the beginning of a long log helps nobody"


def test_a_service_that_a_command_leaves_behind_is_not_waited_for(
    tmp_path: Path, end_later: Callable[[int], None]
) -> None:
    began = time.monotonic()
    run(["sh", "-c", f"sleep 1200 & echo $! > {tmp_path}/service"], "Starting")
    end_later(int((tmp_path / "service").read_text()))
    assert time.monotonic() - began < 1200


def test_a_silent_failure_says_that_it_was_silent() -> None:
    assert last_lines("") == "  (it said nothing)"


@pytest.mark.parametrize(
    ("distributions", "root", "installs"),
    [
        ({"debian"}, True, True),
        ({"ubuntu", "debian"}, True, True),
        ({"debian"}, False, False),
        ({"fedora"}, True, False),
        (set(), True, False),
    ],
)
def test_packages_are_installed_by_root_on_debian_and_its_children_alone(
    distributions: set[str], root: bool, installs: bool
) -> None:
    assert Machine("Linux", frozenset(distributions), root, systemd=False).installs is installs


def test_one_set_up_waits_for_the_other_and_a_daemon_of_the_first_does_not_keep_it_waiting(
    tmp_path: Path, end_later: Callable[[int], None]
) -> None:
    holds = f"""
import subprocess, sys
from pathlib import Path
from scripts.engine import launch
from scripts.machine import machine_lock
with machine_lock(Path({str(tmp_path / "lock")!r})):
    print("held", launch(["sleep", "1200"], Path({str(tmp_path / "log")!r})).pid, flush=True)
    sys.stdin.read()
"""
    waits = f"""
from pathlib import Path
from scripts.machine import machine_lock
print("wants", flush=True)
with machine_lock(Path({str(tmp_path / "lock")!r})):
    print("has", flush=True)
"""
    first = subprocess.Popen([sys.executable, "-c", holds], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert first.stdin
    assert first.stdout
    held, daemon = first.stdout.readline().split()
    end_later(int(daemon))
    with subprocess.Popen([sys.executable, "-c", waits], stdout=subprocess.PIPE, text=True) as second:
        assert second.stdout
        assert (held, second.stdout.readline()) == ("held", "wants\n")
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(0.3)
        first.stdin.close()
        assert first.stdout.read() == "", "the daemon must not hold the pipe of whoever started the set-up"
        assert second.stdout.read() == "has\n"
    assert (first.wait(), second.returncode) == (0, 0)
    first.stdout.close()


def test_what_the_network_spoilt_is_tried_again(tmp_path: Path) -> None:
    twice = f"echo once more >> {tmp_path}/tries; test $(wc -l < {tmp_path}/tries) -ge 2"
    run(["sh", "-c", twice], "Fetching", attempts=2)
    assert (tmp_path / "tries").read_text() == "once more\n" * 2
