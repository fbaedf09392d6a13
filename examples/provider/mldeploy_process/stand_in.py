"""The stand-in for a process manager, for `--rehearse`: the manager itself, behind the gateway that injects faults."""

from __future__ import annotations

import sys

from mldeploy.rehearsal.standins import StandIn

STAND_IN = StandIn("process", "process manager", __name__, "werkzeug", "mldeploy-process[rehearsal]")

if __name__ == "__main__":
    from mldeploy.rehearsal.http_platform import run_platform
    from mldeploy_process.manager import Manager, match_route

    sys.exit(run_platform(sys.argv[1:], Manager, lambda method, path: match_route(method, path)[0]))
