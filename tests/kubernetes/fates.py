"""Ways in which a version fails, and the texts of its verdict."""

from __future__ import annotations

from tests.kubernetes.fake.fate import Fate

BACK_OFF = "Back-off pulling image"
SLOW = ("no node",)
"""Fates that pass by themselves often, so that their verdict comes with the end of the patience or of the rollout."""
FATES = {
    "not in the registry": (
        Fate(
            serves=False,
            waiting=("ImagePullBackOff", BACK_OFF),
            events=(("Failed", 'Failed to pull image "r/app": manifest unknown: not found'),),
        ),
        ["the registry does not have it", "manifest unknown"],
    ),
    "not let in": (
        Fate(
            serves=False,
            waiting=("ImagePullBackOff", f"{BACK_OFF}: failed to authorize: 401 Unauthorized"),
        ),
        ["the registry rejects the cluster", "docker login"],
    ),
    "crashes": (
        Fate(
            serves=False,
            waiting=("CrashLoopBackOff", "back-off 10s restarting failed container"),
            ended=(1, "Error"),
            restarts=1,
            log=("Traceback (most recent call last):", "ModuleNotFoundError: No module named 'sklearn'"),
        ),
        ["the module sklearn is not in the image", "exit code 1", "scikit-learn"],
    ),
    "crashes, and has just begun again": (
        Fate(
            serves=False,
            ended=(1, "Error"),
            restarts=2,
            earlier=("Traceback (most recent call last):", "ModuleNotFoundError: No module named 'sklearn'"),
        ),
        ["the module sklearn is not in the image", "exit code 1"],
    ),
    "crashes while it is probed": (
        Fate(
            serves=False,
            waiting=("CrashLoopBackOff", "back-off 10s restarting failed container"),
            ended=(1, "Error"),
            restarts=1,
            events=(("Unhealthy", "Startup probe failed: dial tcp 10.0.0.7:5000: connect: connection refused"),),
            log=("Traceback (most recent call last):", "RuntimeError: the model is not here"),
        ),
        ["exit code 1", "the model is not here"],
    ),
    "another processor": (
        Fate(
            serves=False,
            waiting=("CrashLoopBackOff", ""),
            ended=(1, "Error"),
            restarts=1,
            log=("exec /usr/bin/dumb-init: exec format error",),
        ),
        ["another processor", "`platform`"],
    ),
    "out of memory": (
        Fate(serves=False, waiting=("CrashLoopBackOff", ""), ended=(137, "OOMKilled"), restarts=1),
        ["out of memory", "`memory` in [app]"],
    ),
    "as root": (
        Fate(
            serves=False,
            waiting=("CreateContainerConfigError", "container has runAsNonRoot and image will run as root"),
        ),
        ["the image runs as root", "USER 10001"],
    ),
    "no program": (
        Fate(
            serves=False,
            waiting=("RunContainerError", 'exec: "gunicorn": executable file not found in $PATH'),
        ),
        ["the program gunicorn"],
    ),
    "no node": (
        Fate(
            serves=False,
            unscheduled="0/3 nodes are available: 3 Insufficient memory.",
            events=(("NotTriggerScaleUp", "pod didn't trigger scale-up"),),
        ),
        ["it cannot be scheduled", "Insufficient memory", "cpu_request"],
    ),
    "no GPU": (
        Fate(
            serves=False,
            unscheduled="0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
            events=(("NotTriggerScaleUp", "pod didn't trigger scale-up"),),
        ),
        ["there is no node with a free GPU (nvidia.com/gpu)", "`gpu_type`"],
    ),
    "over quota": (
        Fate(serves=False, refused='pods "x" is forbidden: exceeded quota: small, requested: cpu=1, used: cpu=4'),
        ["the namespace's quota small is exceeded", "exceeded quota"],
    ),
    "no priority class": (
        Fate(serves=False, refused='pods "x" is forbidden: no PriorityClass with name urgent was found'),
        ["the cluster has no PriorityClass urgent", "`priority_class`"],
    ),
    "wrong port": (
        Fate(
            serves=False,
            events=(
                ("Unhealthy", "Startup probe failed: dial tcp 10.0.0.7:5000: connect: connection refused"),
                ("Killing", "Container app failed startup probe, will be restarted"),
            ),
            log=(" * Running on http://127.0.0.1:8000",),
        ),
        ["nothing listens on port", "but something listens on 127.0.0.1:8000", "PORT"],
    ),
    "deaf": (
        Fate(
            serves=False,
            events=(
                ("Unhealthy", "Startup probe failed: dial tcp 10.0.0.7:5000: connect: connection refused"),
                ("Killing", "Container app failed startup probe, will be restarted"),
            ),
            log=("[INFO] Listening at: http://0.0.0.0:5000 (7)",),
        ),
        ["the log says that it listens on 0.0.0.0:5000, but port 5000 refuses connections"],
    ),
    "unhealthy": (
        Fate(
            serves=False,
            ended=(137, "Error"),
            restarts=1,
            events=(
                ("Unhealthy", "Startup probe failed: HTTP probe failed with statuscode: 503"),
                ("Killing", "Container app failed startup probe, will be restarted"),
            ),
        ),
        ["/health answers 503"],
    ),
}
