"""Which engine mldeploy talks to, and why that one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from docker import APIClient
from docker.context.config import get_current_context_name
from docker.errors import DockerException
from requests.exceptions import RequestException

KNOCK_SECONDS = 1.0


def reason(environment: Mapping[str, str] = os.environ) -> str:
    """Why this engine and no other, in the order in which the docker command decides; completes "…, ".

    https://docs.docker.com/engine/manage-resources/contexts/
    """
    current = get_current_context_name()
    if environment.get("DOCKER_HOST"):
        context = environment.get("DOCKER_CONTEXT") or current
        over = f", which overrides the context {context!r}" if context != "default" else ""
        return f"from DOCKER_HOST{over}"
    if environment.get("DOCKER_CONTEXT"):
        return f"the context {environment['DOCKER_CONTEXT']!r}, from DOCKER_CONTEXT"
    return f"the current context {current!r}" if current != "default" else "the default socket"


def answering(*, other_than: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """The endpoint of another engine of this user's that does answer, or None. Takes a second at most for each."""
    endpoints = (f"unix://{path}" for path in _usual_sockets(environment) if path.is_socket())
    return next((each for each in endpoints if each != other_than and _answers(each)), None)


def _usual_sockets(environment: Mapping[str, str]) -> Iterator[Path]:
    """Where the engines put their sockets, as their manuals say."""
    home, run = Path.home(), Path(environment.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")
    yield Path("/var/run/docker.sock")
    yield home / ".docker/run/docker.sock"  # Docker Desktop on macOS
    yield home / ".docker/desktop/docker.sock"  # Docker Desktop on Linux
    yield run / "docker.sock"  # rootless
    yield home / ".orbstack/run/docker.sock"
    yield home / ".colima/default/docker.sock"
    yield home / ".config/colima/default/docker.sock"
    yield home / ".rd/docker.sock"  # Rancher Desktop
    yield run / "podman/podman.sock"
    yield Path("/run/podman/podman.sock")


def _answers(endpoint: str) -> bool:
    try:
        client = APIClient(endpoint, timeout=KNOCK_SECONDS)  # type: ignore[arg-type]  # requests takes fractions
        client.close()
    except (DockerException, RequestException, OSError, ValueError):
        return False
    return True
