"""What AWS says becomes a sentence about what the user can do."""

from __future__ import annotations

import pytest
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from mldeploy.core.errors import ExitCode, MldeployError
from mldeploy.providers.aws.errors import AwsCredentialsError, AwsDeniedError, aws_errors

REPOSITORY = "arn:aws:ecr:eu-west-1:123456789012:repository/insurance"
USER = "arn:aws:iam::123456789012:user/ada"


def refused(code: str, message: str, operation: str = "CreateRepository", status: int = 400) -> MldeployError:
    answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return translate(boto.ClientError(answer, operation))  # type: ignore[arg-type]  # an answer has more than that


def translate(error: Exception) -> MldeployError:
    with pytest.raises(MldeployError) as caught, aws_errors("ECR repository insurance", "ecr"):
        raise error
    assert caught.value.__cause__ is error
    return caught.value


@pytest.mark.parametrize(
    ("message", "action", "resource"),
    [
        (
            (
                f"User: {USER} is not authorized to perform: ecr:CreateRepository on resource: {REPOSITORY} "
                "because no identity-based policy allows the ecr:CreateRepository action"
            ),
            "ecr:CreateRepository",
            REPOSITORY,
        ),
        (f"User: {USER} is not authorized to perform: ecr:CreateRepository", "ecr:CreateRepository", ""),
        (
            (
                f"You are not authorized to perform this operation. User: {USER} is not authorized to perform: "
                f"ec2:DescribeVpcs on resource: {REPOSITORY}. Encoded authorization failure message: AbCd"
            ),
            "ec2:DescribeVpcs",
            REPOSITORY,
        ),
        ("Not allowed", "ecr:CreateRepository", ""),
    ],
)
@pytest.mark.parametrize("code", ["AccessDeniedException", "AccessDenied", "UnauthorizedOperation"])
def test_a_missing_permission_names_the_action_and_the_resource(
    code: str, message: str, action: str, resource: str
) -> None:
    error = refused(code, message)
    assert isinstance(error, AwsDeniedError)
    assert (error.action, error.resource) == (action, resource)
    assert error.exit_code is ExitCode.ACCESS
    assert action in error.what
    assert resource in error.what
    assert "Encoded" not in str(error)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("ExpiredToken", "aws sso login"),
        ("ExpiredTokenException", "aws sso login"),
        ("InvalidClientTokenId", "--profile"),
        ("UnrecognizedClientException", "--profile"),
        ("SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY"),
        ("RequestExpired", "mldeploy doctor"),
    ],
)
def test_credentials_that_aws_does_not_accept_say_what_to_do(code: str, text: str) -> None:
    error = refused(code, "whatever")
    assert isinstance(error, AwsCredentialsError)
    assert text in error.todo


def test_a_clock_that_is_wrong_is_not_called_a_wrong_key() -> None:
    error = refused("InvalidSignatureException", "Signature expired: 20261121T080000Z is now earlier than …")
    assert "clock" in error.what


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (boto.NoCredentialsError(), ExitCode.ACCESS, "--profile"),
        (boto.UnauthorizedSSOTokenError(), ExitCode.ACCESS, "aws sso login"),
        (boto.TokenRetrievalError(provider="sso", error_msg="gone"), ExitCode.ACCESS, "aws sso login"),
        (boto.CredentialRetrievalError(provider="custom-process", error_msg="it failed"), ExitCode.ACCESS, "--profile"),
        (boto.EndpointConnectionError(endpoint_url="https://ecr.example"), ExitCode.REMOTE, "HTTPS_PROXY"),
        (boto.ReadTimeoutError(endpoint_url="https://ecr.example"), ExitCode.REMOTE, "network"),
        (ResponseParserError("invalid XML received: <!doctype html>"), ExitCode.REMOTE, "HTTPS_PROXY"),
        (
            boto.SSLError(endpoint_url="https://ecr.example", error=OSError("self signed")),
            ExitCode.REMOTE,
            "AWS_CA_BUNDLE",
        ),
    ],
)
def test_what_the_sdk_itself_cannot_do_is_reported(error: Exception, code: ExitCode, text: str) -> None:
    problem = translate(error)
    assert problem.exit_code is code
    assert text in problem.todo


@pytest.mark.parametrize(("code", "status"), [("ThrottlingException", 400), ("ServerException", 500)])
def test_what_may_pass_says_that_one_can_go_on(code: str, status: int) -> None:
    error = refused(code, "Rate exceeded", status=status)
    assert error.exit_code is ExitCode.REMOTE
    assert "run the command again" in error.todo


def test_our_own_errors_pass_unchanged() -> None:
    ours = MldeployError("here", "that")
    with pytest.raises(MldeployError) as caught, aws_errors("ECR", "ecr"):
        raise ours
    assert caught.value is ours
