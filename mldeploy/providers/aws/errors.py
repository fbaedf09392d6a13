"""What can go wrong between us and AWS, and how the SDK's words become ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from mldeploy.core.errors import ExitCode, MldeployError


class AwsError(MldeployError):
    """AWS did not answer, or not as it should."""

    code = ExitCode.REMOTE


class CredentialsError(MldeployError):
    """There are no credentials, or AWS does not accept those that there are."""

    code = ExitCode.ACCESS


class DeniedError(MldeployError):
    """A permission is missing. action: IAM's name of it (`ecr:CreateRepository`). resource: an ARN, or empty."""

    code = ExitCode.ACCESS

    def __init__(self, where: str, who: str, action: str, resource: str = "") -> None:
        on = f" on {resource}" if resource else ""
        todo = f"Have {action}{on} allowed in its policy, or use another profile: --profile."
        super().__init__(where, f"{who} has no permission for {action}{on}", todo)
        self.action = action
        self.resource = resource


@contextmanager
def aws_errors(where: str, service: str) -> Iterator[None]:
    """Turn whatever the SDK raises into a MldeployError about `where`. What is caught inside passes unseen.

    service: IAM's prefix of the service that is called (`ecr`), for the name of a permission that is missing.
    """
    try:
        yield
    except (boto.BotoCoreError, boto.ClientError, boto.HTTPClientError, ResponseParserError) as error:
        raise translated(where, service, error) from error


def code_of(error: boto.ClientError) -> str:
    """AWS's own name of an error: `RepositoryNotFoundException`."""
    return str(error.response.get("Error", {}).get("Code", ""))


def translated(where: str, service: str, error: Exception) -> MldeployError:
    """The MldeployError for what the SDK raised."""
    if isinstance(error, boto.ClientError):
        return _refusal(where, service, error)
    if isinstance(error, _SIGNED_OUT):
        return CredentialsError(where, f"the sign-in of the profile has expired or is missing: {_line(error)}", SIGN_IN)
    if isinstance(error, _UNUSABLE):
        todo = "Correct the profile in ~/.aws/config, or name another one: --profile."
        return CredentialsError(where, f"the credentials cannot be used: {_line(error)}", todo)
    return _not_reached(where, error)


def _not_reached(where: str, error: Exception) -> AwsError:
    """What is between us and AWS, or failing that what the SDK says."""
    if isinstance(error, boto.SSLError):
        todo = "Where something inspects TLS on the way, name its certificates in AWS_CA_BUNDLE."
        return AwsError(where, f"the connection to AWS is not trusted: {_line(error)}", todo)
    if isinstance(error, boto.ConnectionError | boto.HTTPClientError):
        todo = "Check the network, the proxy (HTTPS_PROXY) and the region; then run the command again: it resumes."
        return AwsError(where, f"AWS does not answer: {_line(error)}", todo)
    if isinstance(error, ResponseParserError):
        todo = "Check the proxy (HTTPS_PROXY): somebody else may have answered; then run the command again: it resumes."
        return AwsError(where, f"the answer is not one of AWS's: {_line(error)}", todo)
    return AwsError(where, _line(error))


SIGN_IN = "Sign in again: `aws sso login` (or `aws login`), with --profile if you use one."

_SIGNED_OUT = (boto.SSOError, boto.TokenRetrievalError)
_UNUSABLE = (
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.CredentialRetrievalError,
    boto.ConfigNotFound,
    boto.ConfigParseError,
    boto.InvalidConfigError,
    boto.InfiniteLoopConfigError,
    boto.UnknownCredentialError,
    boto.RefreshWithMFAUnsupportedError,
    boto.ProfileNotFound,
    boto.MetadataRetrievalError,
)
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"}
_UNKNOWN = {
    "AuthFailure",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_LATE = {"RequestExpired", "RequestTimeTooSkewed"}
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "NotAuthorized"}
_BUSY = {"Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException", "SlowDown"}


def _refusal(where: str, service: str, error: boto.ClientError) -> MldeployError:
    code, said = code_of(error), str(error.response.get("Error", {}).get("Message", "")).strip()
    if code in _EXPIRED:
        todo = f"{SIGN_IN} Keys in the environment (AWS_SESSION_TOKEN) have to be fetched anew."
        return CredentialsError(where, "the credentials have expired", todo)
    if code in _LATE or said.startswith(("Signature expired", "Signature not yet current")):
        return CredentialsError(where, "AWS says that this machine's clock is wrong", "Set it: `mldeploy doctor`.")
    if code in _UNKNOWN:
        todo = "Correct them (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the profile), or name another --profile."
        return CredentialsError(where, f"AWS does not know these credentials ({code})", todo)
    if code in _DENIED:
        return _denied(where, f"{service}:{error.operation_name}", said)
    if code in _BUSY:
        return AwsError(
            where, f"AWS is asked too often ({code})", "Wait a minute and run the command again: it resumes."
        )
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    todo = "It may pass: run the command again, it resumes." if status >= 500 else ""
    return AwsError(where, f"{error.operation_name}: {_one_line(said) or 'no reason was given'} ({code})", todo)


_REASON = re.compile(
    r"User: (?P<who>\S+) is not authorized to perform: (?P<action>[\w:*-]+)(?: on resource: (?P<resource>\S+))?"
)


def _denied(where: str, action: str, said: str) -> DeniedError:
    """AWS names who, what and on what, in a sentence; where it does not, the call says which permission it needs.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
    """
    reason = _REASON.search(said)
    if reason is None:
        return DeniedError(where, "the profile", action)
    return DeniedError(where, reason["who"], reason["action"], (reason["resource"] or "").rstrip(".,"))


def _line(error: Exception) -> str:
    return _one_line(str(error)).rstrip(".")


def _one_line(text: str) -> str:
    return " ".join(text.split())
