"""Why the chain of credentials has ended without a token: the SDK tells every link of it, we tell what matters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from azure.core.exceptions import ClientAuthenticationError
from azure.identity import CredentialUnavailableError

from mldeploy.core.errors import MldeployError
from mldeploy.providers.azure.errors import AzureError, CredentialsError, translated

_CHAIN = "failed to retrieve a token from the included credentials"
_ATTEMPT = re.compile(
    r"^\t(?P<link>\w+Credential): (?P<said>.*?)(?=^\t\w+Credential: |^To mitigate|\Z)", re.MULTILINE | re.DOTALL
)
_NOT_THERE = re.compile(
    r"(?i)unavailable|not (?:fully )?configured|could not be found|not found on path|not installed|"
    r"please run '?\"?az login|please run 'azd auth login|no identity has been assigned|missing required arguments"
)
_NO_ANSWER = re.compile(r"(?i)HTTPS?Connection|failed to resolve|timed out|connection (?:refused|aborted|reset)")
_LINKS: Mapping[str, str] = MappingProxyType(
    {
        "EnvironmentCredential": "those of AZURE_CLIENT_ID",
        "WorkloadIdentityCredential": "those of AZURE_FEDERATED_TOKEN_FILE",
        "ManagedIdentityCredential": "those of this machine's identity",
        "AzureCliCredential": "those of `az`",
        "AzureDeveloperCliCredential": "those of `azd`",
    }
)


def explained(where: str, error: ClientAuthenticationError) -> MldeployError:
    """The error for what a credential raised: the first link that has credentials and could not use them, or none."""
    if isinstance(error, CredentialUnavailableError):
        return _nothing_found(where)
    if _CHAIN not in str(error):
        return translated(where, error)
    for link, said in _attempts(str(error)):
        if not _NOT_THERE.search(said):
            return _unusable(where, link, said)
    return _nothing_found(where)


def _attempts(told: str) -> Iterator[tuple[str, str]]:
    for match in _ATTEMPT.finditer(told):
        yield match["link"], " ".join(match["said"].split())


def _unusable(where: str, link: str, said: str) -> MldeployError:
    if _NO_ANSWER.search(said):
        todo = "Check the network and the proxy (HTTPS_PROXY); then run the command again."
        return AzureError(where, f"Microsoft Entra does not answer: {said.rstrip('.')}", todo)
    refused = translated(where, ClientAuthenticationError(said))
    which = _LINKS.get(link, f"those of {link}")
    return CredentialsError(where, f"{refused.what} (of the credentials, {which} were tried)", refused.todo)


def _nothing_found(where: str) -> CredentialsError:
    what = (
        "no credentials were found: not in AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET (or a certificate, "
        "or a federated token), this machine has no identity of Azure, and neither `az` nor `azd` is signed in"
    )
    return CredentialsError(where, what, "Sign in with `az login`, or set the variables of a service principal.")
