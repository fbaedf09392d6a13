"""Identity tokens of the deployer, for services that are not public.

https://cloud.google.com/docs/authentication/get-id-token
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import google.auth
from google.auth import compute_engine, external_account, impersonated_credentials
from google.auth.credentials import Credentials
from google.oauth2 import credentials as user_credentials
from google.oauth2 import service_account

from mldeploy.config.secret import Secret
from mldeploy.core.files import STATE_LIMIT, read_bytes
from mldeploy.providers.gcp.errors import SIGN_IN, GcpCredentialsError, gcp_errors
from mldeploy.providers.gcp.identity import FILE, SCOPES, GoogleCredentials

USER_SCOPES = ("openid", "https://www.googleapis.com/auth/userinfo.email")
WHERE = "identity token"


def fetch_identity_token(identity: GoogleCredentials, audience: str) -> Secret:
    """A token that proves to a service who calls it. audience: the service's URL, also for the URL of a tag.

    Makes one or two calls. Raises GcpCredentialsError if the credentials give no identity token, GcpError.
    """
    with gcp_errors(WHERE):
        credentials = identity.credentials
        if isinstance(credentials, user_credentials.Credentials):
            return _user_token(identity, credentials)
        source = _token_source(credentials, audience, identity)
        if source is None:
            raise _no_token_error(type(credentials).__name__)
        source.refresh(identity.request)
        return Secret(str(source.token))


def _token_source(credentials: Credentials, audience: str, identity: GoogleCredentials) -> Credentials | None:
    """Credentials whose token is an identity token, None for a kind that has none."""
    if isinstance(credentials, service_account.Credentials):
        uri = credentials._token_uri  # noqa: SLF001 - google-auth has no public name for it
        return service_account.IDTokenCredentials(credentials.signer, credentials.service_account_email, uri, audience)
    if isinstance(credentials, compute_engine.Credentials):
        return compute_engine.IDTokenCredentials(identity.request, audience, use_metadata_identity_endpoint=True)
    if isinstance(credentials, external_account.Credentials):
        credentials = _impersonate(credentials)
    if isinstance(credentials, impersonated_credentials.Credentials):
        return impersonated_credentials.IDTokenCredentials(credentials, target_audience=audience, include_email=True)
    return None


def _impersonate(credentials: external_account.Credentials) -> Credentials:
    """The same federated identity, with the impersonation of its service account as a step of its own.

    That of `external_account` itself gives only access tokens.
    """
    email = credentials.service_account_email
    if not email:
        return credentials
    info = {name: value for name, value in _read_info().items() if name != "service_account_impersonation_url"}
    source, _ = google.auth.load_credentials_from_dict(info, scopes=list(SCOPES))
    return impersonated_credentials.Credentials(source, email, list(SCOPES))


def _read_info() -> Mapping[str, str]:
    document = json.loads(read_bytes(Path(os.environ.get(FILE, "")), limit=STATE_LIMIT))
    return document if isinstance(document, dict) else {}


def _user_token(identity: GoogleCredentials, credentials: user_credentials.Credentials) -> Secret:
    """A user's token, which Google issues for gcloud and not for one service. Cloud Run accepts it."""
    again = user_credentials.Credentials(
        None,
        refresh_token=credentials.refresh_token,
        token_uri=credentials.token_uri,
        client_id=credentials.client_id,
        client_secret=credentials.client_secret,
        scopes=list(USER_SCOPES),
    )
    again.refresh(identity.request)
    if not again.id_token:
        raise _no_token_error("the user's credentials")
    return Secret(str(again.id_token))


def _no_token_error(kind: str) -> GcpCredentialsError:
    what = f"the credentials ({kind}) give no identity token, and the new version is asked before it is public"
    return GcpCredentialsError(WHERE, what, f"Use a service account or a user's own credentials. {SIGN_IN}")
