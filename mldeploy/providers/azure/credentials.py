"""Who we are to Azure: the standard chain, or a stand-in's credentials; and what a token says of its owner."""

from __future__ import annotations

import base64
import json
import logging
import os
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError as SdkError
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientSecretCredential, DefaultAzureCredential

from mldeploy.config.endpoints import Endpoints
from mldeploy.providers.azure import chain
from mldeploy.providers.azure.errors import translated

WHERE = "Azure"
MANAGEMENT = "https://management.azure.com/.default"
REGISTRY = "https://containerregistry.azure.net/.default"
AUTHORITY = "authority"
"""The service of `Endpoints` that plays Microsoft Entra."""
METADATA_SERVICE = "http://169.254.169.254"
METADATA_SECONDS = 0.3
TOOL_SECONDS = 15
"""So long `az` may take to hand out a token."""
_OF_THE_MACHINE = ("IDENTITY_ENDPOINT", "MSI_ENDPOINT", "AZURE_FEDERATED_TOKEN_FILE")
"""Set where a machine or a pod has an identity of its own."""

# The SDK tells every way that it has tried on standard error, as if no program around it had a voice of its own.
for _name in ("azure", "msal"):
    logging.getLogger(_name).addHandler(logging.NullHandler())


def given(endpoints: Endpoints) -> TokenCredential:
    """A stand-in's credentials. What the user has does not matter there: it may be broken."""
    told = {name: value.reveal() for name, value in endpoints.credentials}
    return ClientSecretCredential(
        told["tenant_id"],
        told["client_id"],
        told["client_secret"],
        authority=endpoints.service(AUTHORITY),
        disable_instance_discovery=True,
        connection_verify=str(endpoints.ca_bundle) if endpoints.ca_bundle else True,
    )


def usual() -> TokenCredential:
    """The user's own, found when they are first asked for a token. What would take seconds to say no is left out."""
    return DefaultAzureCredential(
        exclude_managed_identity_credential=not _has_identity(),
        exclude_powershell_credential=True,
        exclude_visual_studio_code_credential=True,
        exclude_shared_token_cache_credential=True,
        exclude_broker_credential=True,
        process_timeout=TOOL_SECONDS,
    )


def token(credential: TokenCredential, scope: str) -> str:
    """A token for a service. Raises CredentialsError if there are no credentials or none that count, AzureError."""
    try:
        return credential.get_token(scope).token
    except ClientAuthenticationError as error:
        raise chain.explained(WHERE, error) from error
    except SdkError as error:
        raise translated(WHERE, error) from error


def claims(issued: str) -> Mapping[str, str]:
    """What a token says of its owner; nothing if it is no JSON Web Token (RFC 7519). Not verified: it is ours."""
    try:
        part = issued.split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (IndexError, ValueError):
        return {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def owner(said: Mapping[str, str]) -> str:
    """By the name that people know, if the token tells one."""
    names = (said.get(key) for key in ("upn", "unique_name", "preferred_username", "appid", "azp", "oid"))
    return next(filter(None, names), "an unnamed account")


def _has_identity() -> bool:
    """Whether this machine has an identity of Azure. The SDK alone would wait for seconds elsewhere."""
    if any(os.environ.get(name) for name in _OF_THE_MACHINE):
        return True
    address = urlsplit(os.environ.get("AZURE_POD_IDENTITY_AUTHORITY_HOST") or METADATA_SERVICE)
    try:
        socket.create_connection((address.hostname or "", address.port or 80), METADATA_SECONDS).close()
    except OSError:
        return False
    return True
