"""Clients for the app's URL and the URLs of tags. A service that is not public gets the deployer's identity token."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mldeploy.app.client import AnswerError, AppClient
from mldeploy.config.secret import Secret
from mldeploy.core.monitor import Monitor
from mldeploy.providers.gcp.cloudrun.cloud import CloudRunCloud
from mldeploy.providers.gcp.cloudrun.identity_token import fetch_identity_token

HEADER = "Authorization"
FORBIDDEN = (401, 403)
"""What Cloud Run answers a caller that may not invoke the service."""
COLD_SECONDS = 60.0
"""An instance that was scaled to zero starts at the request."""


def request_headers(cloud: CloudRunCloud, audience: str, *, public: bool) -> tuple[tuple[str, Secret], ...]:
    """What a request needs: nothing, or an identity token. audience: the service's own URL."""
    if public:
        return ()
    token = fetch_identity_token(cloud.account.identity, audience)
    return ((HEADER, Secret(f"Bearer {token.reveal()}")),)


@contextmanager
def open_client(
    cloud: CloudRunCloud, url: str, audience: str, *, public: bool, monitor: Monitor | None = None
) -> Iterator[AppClient]:
    """A client for one URL of the service. Raises GcpCredentialsError if it needs a token and there is none."""
    headers = request_headers(cloud, audience, public=public)
    with AppClient(url, cloud.trust, monitor, headers) as client:
        yield client


def find_health_error(client: AppClient, path: str, within: float = COLD_SECONDS) -> AnswerError | None:
    """Why the app is not healthy; None if it is."""
    try:
        client.health(path, within=within)
    except AnswerError as error:
        return error
    return None
