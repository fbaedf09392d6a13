"""Errors of AWS, and the translation of the SDK's exceptions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from mldeploy.core.errors import CredentialsError, DeniedError, ExitCode, MldeployError, translate_exceptions


class AwsError(MldeployError):
    """AWS is unreachable, or it answers with an unexpected error."""

    code = ExitCode.REMOTE


class AwsCredentialsError(CredentialsError):
    """Credentials are missing, or AWS rejects them."""


class AwsDeniedError(DeniedError):
    """A permission is missing. action: IAM's name of it (`ecr:CreateRepository`). resource: an ARN, or empty."""

    def __init__(self, where: str, who: str, action: str, resource: str = "") -> None:
        on = f" on {resource}" if resource else ""
        todo = f"Have {action}{on} allowed in its policy, or use another profile: --profile."
        super().__init__(where, f"{who} has no permission for {action}{on}", todo)
        self.action = action
        self.resource = resource


_RAISED = (boto.BotoCoreError, boto.ClientError, boto.HTTPClientError, ResponseParserError)


@contextmanager
def aws_errors(where: str, service: str) -> Iterator[None]:
    """Translate the SDK's exceptions in the block to a MldeployError about `where`.

    service: IAM's prefix of the service that is called (`ecr`), for the name of a permission that is missing.
    """
    with translate_exceptions(_RAISED, lambda error: translate_error(where, service, error)):
        yield


def error_code(error: boto.ClientError) -> str:
    """AWS's own name of an error: `RepositoryNotFoundException`."""
    return str(error.response.get("Error", {}).get("Code", ""))


def error_message(error: boto.ClientError) -> str:
    """AWS's message, on one line."""
    return _one_line(str(error.response.get("Error", {}).get("Message", "")))


def translate_error(where: str, service: str, error: Exception) -> MldeployError:
    """The MldeployError for what the SDK raised."""
    if isinstance(error, boto.ClientError):
        return _translate_response(where, service, error)
    if isinstance(error, _SIGNED_OUT):
        return AwsCredentialsError(
            where, f"the sign-in of the profile has expired or is missing: {_describe(error)}", SIGN_IN
        )
    if isinstance(error, _UNUSABLE):
        todo = "Correct the profile in ~/.aws/config, or name another one: --profile."
        return AwsCredentialsError(where, f"the credentials cannot be used: {_describe(error)}", todo)
    return _translate_connection_error(where, error)


def _translate_connection_error(where: str, error: Exception) -> AwsError:
    """A problem with the connection; otherwise the SDK's message."""
    if isinstance(error, boto.SSLError):
        todo = "Where something inspects TLS on the way, name its certificates in AWS_CA_BUNDLE."
        return AwsError(where, f"the connection to AWS is not trusted: {_describe(error)}", todo)
    if isinstance(error, boto.ConnectionError | boto.HTTPClientError):
        todo = "Check the network, the proxy (HTTPS_PROXY) and the region; then run the command again: it resumes."
        return AwsError(where, f"AWS does not answer: {_describe(error)}", todo)
    if isinstance(error, ResponseParserError):
        todo = "Check the proxy (HTTPS_PROXY): somebody else may have answered; then run the command again: it resumes."
        return AwsError(where, f"the answer is not one of AWS's: {_describe(error)}", todo)
    return AwsError(where, _describe(error))


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
DENIED_CODES = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "NotAuthorized"}
_BUSY = {"Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException", "SlowDown"}


def _translate_response(where: str, service: str, error: boto.ClientError) -> MldeployError:
    code, message = error_code(error), str(error.response.get("Error", {}).get("Message", "")).strip()
    if code in _EXPIRED:
        todo = f"{SIGN_IN} Keys in the environment (AWS_SESSION_TOKEN) have to be fetched anew."
        return AwsCredentialsError(where, "the credentials have expired", todo)
    if code in _LATE or message.startswith(("Signature expired", "Signature not yet current")):
        return AwsCredentialsError(where, "AWS says that this machine's clock is wrong", "Set it: `mldeploy doctor`.")
    if code in _UNKNOWN:
        todo = "Correct them (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the profile), or name another --profile."
        return AwsCredentialsError(where, f"AWS does not know these credentials ({code})", todo)
    if code in DENIED_CODES:
        return _parse_denial(where, f"{service}:{error.operation_name}", message)
    if code in _BUSY:
        return AwsError(
            where, f"AWS throttles the requests ({code})", "Wait a minute and run the command again: it resumes."
        )
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    todo = "It may pass: run the command again, it resumes." if status >= 500 else ""
    return AwsError(where, f"{error.operation_name}: {_one_line(message) or 'no reason was given'} ({code})", todo)


_REASON = re.compile(
    r"User: (?P<who>\S+) is not authorized to perform: (?P<action>[\w:*-]+)(?: on resource: (?P<resource>\S+))?"
)


def _parse_denial(where: str, action: str, message: str) -> AwsDeniedError:
    """AWS names who, what and on what, in a sentence; where it does not, the call says which permission it needs.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
    """
    match = _REASON.search(message)
    if match is None:
        return AwsDeniedError(where, "the profile", action)
    return AwsDeniedError(where, match["who"], match["action"], (match["resource"] or "").rstrip(".,"))


def _describe(error: Exception) -> str:
    return _one_line(str(error)).rstrip(".")


def _one_line(text: str) -> str:
    return " ".join(text.split())
