"""Amazon Web Services: a role that this one environment of this one repository may take on for an hour.

https://docs.github.com/en/actions/how-tos/secure-your-work/security-harden-deployments/oidc-in-aws
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from mldeploy.ci.signing.base import (
    KEEP_TOKEN,
    TOKEN_FILE,
    CiSystem,
    SetupStep,
    SignIn,
    SignInContext,
    WorkflowStep,
    identity_command,
    var,
)

AUDIENCE = "sts.amazonaws.com"
PIPELINES_AUDIENCE = "api://AzureADTokenExchange"
"""Of the tokens of a service connection:
https://aws.amazon.com/blogs/modernizing-with-aws/how-to-federate-into-aws-from-azure-devops-using-openid-connect
"""
PREVIEW_REMARK = (
    "the role of the previews makes roles for their tasks: limit those with permissions_boundary in "
    "[env.preview.target.fargate] (`mldeploy policy --with boundary`)"
)


def sign_in(context: SignInContext) -> SignIn:
    """By aws-actions/configure-aws-credentials, which leaves AWS_ACCESS_KEY_ID and the like for the SDK to find."""
    region = context.setting("region")
    if context.system is not CiSystem.GITHUB:
        return _by_token(context, region)
    given = (("role-to-assume", var("AWS_ROLE_ARN")), ("aws-region", region or var("AWS_REGION")))
    step = WorkflowStep("Sign in to AWS", uses="aws-actions/configure-aws-credentials@v6", given=given)
    variables = ("AWS_ROLE_ARN", *(() if region else ("AWS_REGION",)))
    remarks = (PREVIEW_REMARK,) if context.is_preview else ()
    return SignIn((step,), tuple(_setup_steps(context, region)), variables, federated=True, remarks=remarks)


def _by_token(context: SignInContext, region: str) -> SignIn:
    """By a file, which the SDK exchanges for a session: sts:AssumeRoleWithWebIdentity.

    https://docs.gitlab.com/ci/cloud_services/aws/
    """
    lines = (
        *KEEP_TOKEN,
        f"export AWS_WEB_IDENTITY_TOKEN_FILE={TOKEN_FILE} AWS_ROLE_SESSION_NAME=mldeploy AWS_ROLE_ARN",
        f'export AWS_REGION="{region or "$AWS_REGION"}" AWS_DEFAULT_REGION="{region or "$AWS_REGION"}"',
    )
    variables = ("AWS_ROLE_ARN", *(() if region else ("AWS_REGION",)))
    return SignIn(
        (WorkflowStep("Sign in to AWS", lines),),
        tuple(_setup_steps(context, region)),
        variables,
        federated=True,
        audience=_audience(context),
        remarks=(PREVIEW_REMARK,) if context.is_preview else (),
    )


def _setup_steps(context: SignInContext, region: str) -> list[SetupStep]:
    provider = f"aws iam create-open-id-connect-provider --url {context.issuer} --client-id-list {_audience(context)}"
    is_github = context.system is CiSystem.GITHUB
    role = f'aws iam create-role --role-name {context.role} --assume-role-policy-document "$TRUST"'
    names = [context.variable("AWS_ROLE_ARN", f"arn:aws:iam::$ACCOUNT:role/{context.role}")]
    if not region:
        names.append(context.variable("AWS_REGION", "$(aws configure get region)"))
    account = "ACCOUNT=$(aws sts get-caller-identity --query Account --output text)"
    trusted = ("TRUST=$(cat <<END", *trust_policy(context).splitlines(), "END", ")")
    return [
        SetupStep(f"let the account trust {_issuer_name(context)} tokens, unless it does already", (provider,)),
        SetupStep(
            "make a role for the workflow, which this environment of this repository alone may take on"
            if is_github
            else f"make a role that {context.trusted} alone may take on",
            (account, *((identity_command(context.repository),) if is_github else ()), *trusted, role),
        ),
        SetupStep("grant it what mldeploy needs", tuple(_policies(context))),
        SetupStep("tell the workflow", tuple(names)),
    ]


def _audience(context: SignInContext) -> str:
    return PIPELINES_AUDIENCE if context.system is CiSystem.AZURE_PIPELINES else AUDIENCE


def _issuer_name(context: SignInContext) -> str:
    """As a possessive."""
    return f"{context.system.label}'s"


def _policies(context: SignInContext) -> Iterator[str]:
    limits = " --with previews" if context.is_preview else ""
    for name, command in zip(("", *(each.name for each in context.sources)), context.commands, strict=True):
        policy = "-".join(filter(None, ("mldeploy", name)))
        document = f'"$({command}{limits if command == context.command else ""} --part all)"'
        yield f"aws iam put-role-policy --role-name {context.role} --policy-name {policy} --policy-document {document}"


def trust_policy(context: SignInContext) -> str:
    """The role's trust policy as JSON, with $ACCOUNT and $IDENTITY still to be filled in by a shell."""
    host = "$HOST" if context.system is CiSystem.AZURE_PIPELINES else context.issuer.removeprefix("https://")
    condition: dict[str, dict[str, object]] = {"StringEquals": {f"{host}:aud": _audience(context)}}
    if context.system is CiSystem.GITHUB:
        subjects = [context.subject, f"repo:$IDENTITY:environment:{context.environment}"]
        condition["StringEquals"][f"{host}:sub"] = subjects
    else:
        operator = "StringLike" if "*" in context.ref else "StringEquals"
        condition.setdefault(operator, {})[f"{host}:sub"] = context.subject
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::$ACCOUNT:oidc-provider/{host}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": condition,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=2)
