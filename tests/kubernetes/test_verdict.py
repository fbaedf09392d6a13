"""What proves that a version cannot serve: its pods and their events are watched apart, and come in any order."""

from __future__ import annotations

from mldeploy.providers.kubernetes.running.patience import RolloutPatience
from mldeploy.providers.kubernetes.running.pods import Pod, parse_pod
from mldeploy.providers.kubernetes.running.verdict import PodEvent, proves_failure

KILLED = PodEvent("1", "app-1", "Killing", "Container app failed startup probe, will be restarted", True, "")


def pod(*containers: object) -> Pod:
    return parse_pod({"metadata": {"name": "app-1", "uid": "1"}, "status": {"containerStatuses": [*containers]}})


def test_an_event_that_comes_before_the_pods_state_awaits_it() -> None:
    """Without that state nobody reads the log, in which the cause stands."""
    patience = RolloutPatience()
    assert not proves_failure(pod(), (KILLED,), 0, patience)
    assert proves_failure(pod({"name": "app", "state": {"running": {}}}), (KILLED,), 0, patience)
    ended = {"terminated": {"exitCode": 137}}
    assert proves_failure(pod({"name": "app", "state": {"waiting": {}}, "lastState": ended}), (KILLED,), 0, patience)
