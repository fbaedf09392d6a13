"""How Google's services are reached, and how a call is made: its time, when it is tried again, and with which token.

The SDK tries nothing again that was refused as too much (RESOURCE_EXHAUSTED) or failed inside (INTERNAL), and of
Artifact Registry nothing at all.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import grpc
from google.api_core import exceptions as api
from google.api_core.retry import Retry
from google.api_core.timeout import ConstantTimeout
from google.auth.transport.grpc import AuthMetadataPlugin

from mldeploy.providers.gcp.errors import refused_token
from mldeploy.providers.gcp.identity import Identity

T = TypeVar("T")

EACH_SECONDS = 20.0
ALL_SECONDS = 60.0
_PASSING = (
    api.TooManyRequests,
    api.ServiceUnavailable,
    api.InternalServerError,
    api.GatewayTimeout,
    api.Unknown,
)


def may_pass(error: BaseException) -> bool:
    """Whether the next attempt may succeed. All that we call may be repeated: what it makes has a name of its own."""
    return isinstance(error, _PASSING) and not refused_token(error)


RETRY = Retry(predicate=may_pass, initial=0.2, maximum=5.0, multiplier=2.0, timeout=ALL_SECONDS)


def channel(identity: Identity, address: str, ca_bundle: Path | None) -> grpc.Channel:
    """A connection to a service (`HOST`, or `HOST:PORT`) that sends a token along with every call. Makes no call.

    ca_bundle: who vouches for it; None: gRPC's own authorities, or those of GRPC_DEFAULT_SSL_ROOTS_FILE_PATH.
    """
    roots = ca_bundle.read_bytes() if ca_bundle else None
    plugin = AuthMetadataPlugin(identity.credentials, identity.request)
    credentials = grpc.composite_channel_credentials(
        grpc.ssl_channel_credentials(root_certificates=roots), grpc.metadata_call_credentials(plugin)
    )
    return grpc.secure_channel(address if ":" in address else f"{address}:443", credentials)


def call(identity: Identity, method: Callable[..., T], request: object) -> T:
    """Call a method of a client of Google's. A token that Google refuses before its time is renewed once.

    Raises what the SDK raises: for `errors.gcp_errors`.
    """
    token = identity.token()
    try:
        return method(request=request, retry=RETRY, timeout=ConstantTimeout(EACH_SECONDS))
    except api.Unauthenticated:
        identity.renew(token)
        return method(request=request, retry=RETRY, timeout=ConstantTimeout(EACH_SECONDS))
