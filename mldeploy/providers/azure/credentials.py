"""Azure credentials: the default credential chain, or a stand-in's credentials, and the claims of a token."""

from __future__ import annotations

import base64
import json
import logging
import os
import re
import socket
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from urllib.parse import urlsplit

from azure.core.credentials import TokenCredential
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientSecretCredential, CredentialUnavailableError, DefaultAzureCredential

from mldeploy.config.endpoints import Endpoints
from mldeploy.core.errors import MldeployError, translate_exceptions
from mldeploy.providers.azure.errors import AzureCredentialsError, AzureError, azure_errors, translate_error

WHERE = "Azure"
AUTHORITY = "authority"
"""The service of `Endpoints` that stands in for Microsoft Entra."""
METADATA_SERVICE = "http://169.254.169.254"
METADATA_SECONDS = 0.3
TOOL_SECONDS = 15
"""Time limit of `az` for a token."""
_IDENTITY_VARIABLES = ("IDENTITY_ENDPOINT", "MSI_ENDPOINT", "AZURE_FEDERATED_TOKEN_FILE")
"""Set on machines and pods that have a managed identity."""

# The SDK logs every credential that it tries to standard error.
for _name in ("azure", "msal"):
    logging.getLogger(_name).addHandler(logging.NullHandler())


def stand_in_credential(endpoints: Endpoints) -> TokenCredential:
    """The credentials of a stand-in. The user's own credentials are not read."""
    secrets = {name: value.reveal() for name, value in endpoints.credentials}
    return ClientSecretCredential(
        secrets["tenant_id"],
        secrets["client_id"],
        secrets["client_secret"],
        authority=endpoints.service(AUTHORITY),
        disable_instance_discovery=True,
        connection_verify=str(endpoints.ca_bundle) if endpoints.ca_bundle else True,
    )


def default_credential(authority: str | None = None) -> TokenCredential:
    """The user's credentials, resolved at the first token request. Slow credential types are excluded.

    authority: the sign-in host of another cloud than the public one.
    """
    return DefaultAzureCredential(
        **({"authority": authority} if authority else {}),
        exclude_managed_identity_credential=not _has_identity(),
        exclude_powershell_credential=True,
        exclude_visual_studio_code_credential=True,
        exclude_shared_token_cache_credential=True,
        exclude_broker_credential=True,
        process_timeout=TOOL_SECONDS,
    )


def fetch_token(credential: TokenCredential, scope: str) -> str:
    """Request a token for a scope. Raises CredentialsError if there are no valid credentials, AzureError."""
    with (
        azure_errors(WHERE),
        translate_exceptions(ClientAuthenticationError, lambda error: explain_credential_error(WHERE, error)),
    ):
        return credential.get_token(scope).token


def token_claims(issued: str) -> Mapping[str, str]:
    """The claims of a JSON Web Token (RFC 7519); empty if it is not one. The signature is not verified."""
    try:
        part = issued.split(".")[1]
        payload = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (IndexError, ValueError):
        return {}
    return {str(key): str(value) for key, value in payload.items()} if isinstance(payload, dict) else {}


def account_name(message: Mapping[str, str]) -> str:
    """A readable name of the account from the claims of its token."""
    names = (message.get(key) for key in ("upn", "unique_name", "preferred_username", "appid", "azp", "oid"))
    return next(filter(None, names), "an unnamed account")


def _has_identity() -> bool:
    """Whether this machine has a managed identity. Without this check the SDK waits for seconds on other machines."""
    if any(os.environ.get(name) for name in _IDENTITY_VARIABLES):
        return True
    address = urlsplit(os.environ.get("AZURE_POD_IDENTITY_AUTHORITY_HOST") or METADATA_SERVICE)
    try:
        socket.create_connection((address.hostname or "", address.port or 80), METADATA_SECONDS).close()
    except OSError:
        return False
    return True


_CHAIN = "failed to retrieve a token from the included credentials"
_ATTEMPT = re.compile(
    r"^\t(?P<link>\w+Credential): (?P<message>.*?)(?=^\t\w+Credential: |^To mitigate|\Z)", re.MULTILINE | re.DOTALL
)
_UNAVAILABLE = re.compile(
    r"(?i)unavailable|not (?:fully )?configured|could not be found|not found on path|not installed|"
    r"please run '?\"?az login|please run 'azd auth login|no identity has been assigned|missing required arguments"
)
_UNREACHABLE = re.compile(r"(?i)HTTPS?Connection|failed to resolve|timed out|connection (?:refused|aborted|reset)")
_LINKS: Mapping[str, str] = MappingProxyType(
    {
        "EnvironmentCredential": "AZURE_CLIENT_ID",
        "WorkloadIdentityCredential": "AZURE_FEDERATED_TOKEN_FILE",
        "ManagedIdentityCredential": "the managed identity of this machine",
        "AzureCliCredential": "`az`",
        "AzureDeveloperCliCredential": "`azd`",
    }
)


def explain_credential_error(where: str, error: ClientAuthenticationError) -> MldeployError:
    """Translate an error of the credential chain. Reports the first credential that is configured but fails."""
    if isinstance(error, CredentialUnavailableError):
        return _no_credentials_error(where)
    if _CHAIN not in str(error):
        return translate_error(where, error)
    for link, message in _parse_attempts(str(error)):
        if not _UNAVAILABLE.search(message):
            return _unusable_credentials_error(where, link, message)
    return _no_credentials_error(where)


def _parse_attempts(secrets: str) -> Iterator[tuple[str, str]]:
    for match in _ATTEMPT.finditer(secrets):
        yield match["link"], " ".join(match["message"].split())


def _unusable_credentials_error(where: str, link: str, message: str) -> MldeployError:
    if _UNREACHABLE.search(message):
        todo = "Check the network and the proxy (HTTPS_PROXY); then run the command again."
        return AzureError(where, f"Microsoft Entra does not answer: {message.rstrip('.')}", todo)
    error_for_user = translate_error(where, ClientAuthenticationError(message))
    which = _LINKS.get(link, link)
    return AzureCredentialsError(
        where, f"{error_for_user.what} (tried the credentials of {which})", error_for_user.todo
    )


def _no_credentials_error(where: str) -> AzureCredentialsError:
    what = (
        "no credentials: AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET (or a certificate, or a federated "
        "token) are not set, this machine has no managed identity, and neither `az` nor `azd` is signed in"
    )
    return AzureCredentialsError(where, what, "Sign in with `az login`, or set the variables of a service principal.")
