"""Pulls of base images."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

from docker import APIClient, auth
from docker.errors import APIError, DockerException
from docker.utils import parse_repository_tag

from mldeploy.core.errors import MldeployError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.image.builders.stream import Event, follow_stream
from mldeploy.image.engine import Engine
from mldeploy.image.errors import BuildError, disk_full_error, engine_errors, explain_error, is_disk_full
from mldeploy.image.registry.access import RegistryAccess


def pull_image(
    engine: Engine,
    reference: str,
    platform: str,
    monitor: Monitor,
    advice: str,
    access: RegistryAccess | None = None,
) -> None:
    """Pull an image and report each layer's bytes. advice: what to change if there is no such image, as a clause.

    access: the registry's credentials; None for those of the Docker config. Raises BuildError with the advice;
    EngineError; CancelledError after a stop.
    """
    repository, tag = parse_repository_tag(reference)
    login = {"username": access.user, "password": access.password.reveal()} if access and access.user else None
    login = login or find_credentials(repository, monitor)

    def start(client: APIClient) -> Iterable[dict[str, object]]:
        lines: Iterable[dict[str, object]] = client.pull(
            repository, tag or "latest", stream=True, decode=True, platform=platform, auth_config=login
        )
        return lines

    with engine_errors(reference):
        client = engine.another_client()
        try:
            for event in follow_stream(client, start, monitor):
                if event.error:
                    raise _pull_error(reference, event.error, advice)
                if event.layer and event.status:
                    monitor.progress(layer_progress(event))
        except APIError as error:
            raise _pull_error(reference, explain_error(error), advice) from error


def pull_by_digest(engine: Engine, reference: str, access: RegistryAccess, monitor: Monitor) -> None:
    """Pull `name@sha256:…` with the credentials that are given. Raises as `pull_image`."""
    login = {"username": access.user, "password": access.password.reveal(), "serveraddress": access.address}
    advice = "deploy the source environment again"

    def start(client: APIClient) -> Iterable[dict[str, object]]:
        lines: Iterable[dict[str, object]] = client.pull(
            reference, stream=True, decode=True, auth_config=login if access.user else {}
        )
        return lines

    with engine_errors(reference):
        try:
            for event in follow_stream(engine.another_client(), start, monitor):
                if event.error:
                    raise _pull_error(reference, event.error, advice)
                if event.layer and event.status:
                    monitor.progress(layer_progress(event))
        except APIError as error:
            raise _pull_error(reference, explain_error(error), advice) from error


def find_credentials(repository: str, monitor: Monitor) -> dict[str, str]:
    """Return the Docker config's credentials for a registry; none if its credential helper fails."""
    try:
        registry, _ = auth.resolve_repository_name(repository)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a missing helper is reported below
            return dict(auth.load_config().resolve_authconfig(registry) or {})
    except DockerException as error:
        monitor.note(f"Pulling {repository} without credentials: {explain_error(error)}", warning=True)
        return {}


def layer_progress(event: Event) -> Progress:
    """Return a layer's progress."""
    return Progress(event.layer, event.status, event.done, event.total, in_bytes=bool(event.total))


_ABSENT = ("not found", "manifest unknown", "does not exist", "no matching manifest", "invalid reference")
_FORBIDDEN = ("denied", "unauthorized", "authentication required", "no basic auth")


def _pull_error(reference: str, reason: str, advice: str) -> MldeployError:
    words = reason.lower()
    if is_disk_full(words):
        return disk_full_error(reference)
    if any(word in words for word in _FORBIDDEN):
        what = "the registry denies the pull, or the image does not exist"
        return BuildError(reference, what, f"Log in with `docker login`, or {advice}.")
    if any(word in words for word in _ABSENT):
        return BuildError(reference, f"there is no such image ({reason})", f"{advice[0].upper()}{advice[1:]}.")
    todo = f"Check the network, or {advice}."
    return BuildError(reference, f"cannot be pulled: {reason}", todo)
