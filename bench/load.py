"""Load from wrk, and what it reports."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass

from bench.contestants.contestant import Question

CONNECTIONS = 16
SCRIPT = """\
wrk.method = "POST"
wrk.body = [==[{body}]==]
wrk.headers["Content-Type"] = "application/json"
{closing}
done = function(summary, latency, requests)
  local bad = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status
    + summary.errors.timeout
  io.write(string.format("measured %d %d %f %d\\n", summary.requests, summary.duration, latency:percentile(99), bad))
end
"""
CLOSING = 'wrk.headers["Connection"] = "close"'


@dataclass(frozen=True)
class Load:
    """rate: requests a second. p99: milliseconds within which 99 of 100 were answered. bad: failed or lost requests."""

    requests: int
    rate: float
    p99: float
    bad: int


def load(url: str, question: Question, seconds: int, *, closing: bool = False) -> Load:
    """Ask on 16 connections, kept open or closing after each answer."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(SCRIPT.format(body=question.body, closing=CLOSING if closing else ""))
        script.flush()
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout=10s", "-s", script.name]
        ran = subprocess.run([*command, f"{url}{question.path}"], check=True, capture_output=True, text=True)
    return parsed(ran.stdout)


def parsed(output: str) -> Load:
    """What the script above told at the end of wrk's output, times in microseconds. ValueError if nothing."""
    for line in reversed(output.splitlines()):
        match line.split():
            case ["measured", requests, duration, p99, bad]:
                rate = int(requests) / int(duration) * 1e6
                return Load(int(requests), rate, float(p99) / 1000, int(bad))
    raise ValueError(f"wrk told nothing:\n{output}")
